"""What the mean cosine adds up: one vector that all texts share, what the tokens of one text share, rogue dimensions.

`measure(..., controls=True)` gives a `Controls` beside mu; `QUANTITIES` is the table of what is in it.
"""

from .quantities import QUANTITIES, Quantity
from .result import Controls

__all__ = ["QUANTITIES", "Controls", "Quantity"]
