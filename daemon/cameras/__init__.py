"""The cameras that the line process can open."""
