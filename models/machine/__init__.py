"""What the machine has and does: processor, memory, allocator."""
