"""The line that replays sheets: camera rows and the switch."""
