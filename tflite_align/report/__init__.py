"""The report record, and pure functions that render it in each format."""
