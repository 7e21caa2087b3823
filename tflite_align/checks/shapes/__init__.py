"""Shapes that operators make, operator by operator, beside those that the file states."""
