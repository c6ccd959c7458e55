"""The classifier: whether a crop shows a crack, how sure that is, and where it was seen (C)."""
