"""Switches with a wire of their own, one module each, and how the one that is configured is opened (registry)."""
