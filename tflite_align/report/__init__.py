"""Reports: the record, and pure functions that render it."""
