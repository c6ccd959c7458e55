"""The mathematics and the networks of the detector, and the weights that ship."""
