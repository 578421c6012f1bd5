"""The command `decondense`."""
