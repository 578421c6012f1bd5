"""The command `decondense`."""

from ..base.extras import require

require("typer", "rich", "pandas", extra="cli")
