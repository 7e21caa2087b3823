"""Statements about a file that hold for every input, derived from the exact integer arithmetic of kernels."""
