"""What the screen tells of the line at this moment: its verdict, its health, its pictures."""
