"""What to change: which findings are repaired, plans of edits, conversions."""
