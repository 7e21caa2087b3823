"""Shapes inferred operator by operator, and compared with those that the file states."""
