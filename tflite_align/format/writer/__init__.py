"""The writer: splices changes into the original bytes and leaves all other bytes unchanged."""
