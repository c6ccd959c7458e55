"""The experiments of the paper, cell by cell."""
