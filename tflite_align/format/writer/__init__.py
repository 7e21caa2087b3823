"""(bytes, edits) to bytes: nothing that was not meant to change changes."""
