"""`linesentry pod`: the probability of detection of painted cracks, by the whole chain of a recipe."""
