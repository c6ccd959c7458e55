"""The program: command line, lab, offline inspection, service, store, telemetry, cameras, and what processes share."""
