"""A line without a line: sheets, defects, disturbances, the camera that replays rows, the switch."""
