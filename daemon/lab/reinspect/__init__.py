"""`linesentry reinspect`: what a candidate would change of the plates of the archive, as tables and one page."""
