"""How the service runs: processes, channels, plate memory, telemetry, results and the command line."""
