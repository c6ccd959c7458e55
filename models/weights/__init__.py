"""The weights that ship, each with its card, and how such files are read."""
