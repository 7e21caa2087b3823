"""The report as a single HTML file without external resources."""
