"""The child processes: one thin loop a role, moving messages between ZeroMQ and the stage's state machine."""
