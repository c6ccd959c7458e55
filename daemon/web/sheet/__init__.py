"""The page of one stored plate: its picture, its defects, why its verdict is what it is, and what people say of it."""
