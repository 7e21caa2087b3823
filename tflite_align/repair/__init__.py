"""Repairs: selection of findings, plans of changes, conversions of types."""
