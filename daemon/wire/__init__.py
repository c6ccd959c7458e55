"""What the processes share: channels, messages, plate memory."""
