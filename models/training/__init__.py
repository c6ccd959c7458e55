"""Training of the networks, from samples that the caller gives; nothing here runs while the line does."""
