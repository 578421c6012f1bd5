"""Time and memory of what this package does, for the page Performance."""

RECORDS = "bench-*.json"  # the names of the records of `nox -s bench`: no notebook shows them
