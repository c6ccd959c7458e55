"""What the models learn from and are measured on."""
