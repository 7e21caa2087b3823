"""Checks: rules are bound to a model as constraints, and violated constraints give findings."""
