"""A small HTTP server that no client can hold up."""
