"""The whole line in one process and in virtual time, struck by faults at random (docs/explanation/simulation.md)."""
