"""What the user decides: options, the configuration file, the baseline, the lock."""
