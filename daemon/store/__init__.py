"""What is kept on disk: verdicts, defects, pictures, and the state directory."""
