"""Sheets: relief, cracks, marks, disturbances, and the truth about them."""
