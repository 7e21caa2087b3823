"""Findings and a solution -> a plan of edits. Nothing is written here."""
