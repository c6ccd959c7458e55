"""The operator's screen and the pages behind it: an HTTP application that only reads, beside the marks of people."""
