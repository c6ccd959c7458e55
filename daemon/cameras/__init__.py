"""The cameras that the line process can open, one module each, and how one is opened (registry)."""
