"""The conformance check: rules that a receiver has to keep, asked of it one after the other."""
