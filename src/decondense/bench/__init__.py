"""Time and memory of what this package does, for the page Performance."""
