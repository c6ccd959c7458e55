"""The mathematics and the networks of the detector, the weights that ship, and the reader of image files."""
