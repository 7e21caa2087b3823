"""Certificates: error bounds that hold for every input, from the exact integer arithmetic of
kernels.
"""
