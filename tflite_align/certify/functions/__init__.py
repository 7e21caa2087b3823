"""Named integer functions that reproduce kernels exactly. They import only numpy, fractions and
math.
"""
