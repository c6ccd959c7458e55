"""How found defects meet true ones, and the figures that follow."""
