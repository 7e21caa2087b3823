"""The file format: records of a model, reading, changing and writing. Knows no rules."""
