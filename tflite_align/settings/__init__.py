"""User settings: options, the configuration file, the baseline, the lock."""
