"""The detector: templates, feature network, threshold, regions, and the picture's quality."""
