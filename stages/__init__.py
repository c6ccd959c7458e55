"""What happens to a plate, one module a stage: acquire, tile, detect, merge, record."""
