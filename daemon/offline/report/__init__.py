"""The report of a period, as one page of HTML."""
