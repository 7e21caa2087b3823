"""Named integer functions: what kernels compute, exact. Imports numpy, fractions and math alone."""
