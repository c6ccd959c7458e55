"""The command line: one file a command, and what a person sees at a terminal. No logic of its own."""
