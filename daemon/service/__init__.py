"""The service: supervisor, child processes, their roles."""
