"""From sheets of one product called good to a recipe that knows it."""
