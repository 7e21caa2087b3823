"""The file: records of what is in it, how it is read, changed and written. Knows no rule."""
