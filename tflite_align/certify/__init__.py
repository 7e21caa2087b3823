"""What can be said of a file for every input: the integer arithmetic of kernels, exactly."""
