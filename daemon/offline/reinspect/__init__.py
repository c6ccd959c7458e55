"""Archived plates through a candidate: here, in several processes, or on many machines."""
