"""Constraints on slots -> the labels to give them, the cuts that takes, and why."""
