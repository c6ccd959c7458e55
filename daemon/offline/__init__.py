"""The stages of the line in one process, on files."""
