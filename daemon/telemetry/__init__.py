"""What the service says of itself: counters, metrics, their server, logs, GPU memory."""
