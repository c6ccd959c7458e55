"""Training of the detector's feature network."""
