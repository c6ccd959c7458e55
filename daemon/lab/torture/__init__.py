"""The real processes, struck at random by a seeded plan, and what came of it: `linesentry torture`."""
