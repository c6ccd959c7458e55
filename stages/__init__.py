"""What happens to a plate: acquire, tile, detect, merge, classify, record, and events, their one vocabulary."""
