"""Time and memory of what this package does, for the page Performance."""

from ..base.extras import require

require("pandas", extra="train")

RECORDS = "bench-*.json"  # the names of the records of `nox -s bench`: no notebook shows them
