"""The typed configuration and recipes, and what is installed beside the service."""
