"""align() and check(): bytes in, bytes and a report out; no files."""
