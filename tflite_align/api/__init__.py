"""What Python callers meet: sources by name, options by keyword, results that save themselves."""
