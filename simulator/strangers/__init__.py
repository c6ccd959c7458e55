"""Families of sheets that nothing is trained, chosen or tuned on: yardsticks."""
