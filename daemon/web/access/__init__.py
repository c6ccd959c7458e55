"""Who may see the screen, and who may do what on it: users, sessions, and the guard before every page."""
