"""The optics as mathematics: flat field by column, and the scale from a target."""
