"""One room a notebook, of the same name: what it measures, its claims, its figures. No chapter imports another."""

from ..base.extras import require

require("pandas", extra="train")
