"""What is said to whom outside: one module for each protocol, behind one door (daemon/outputs/door.py)."""
