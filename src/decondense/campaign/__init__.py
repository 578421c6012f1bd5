"""The experiments that need a GPU, each sized to the minutes that there are: `python -m decondense.campaign`.

For a machine without a network that has torch, transformers, numpy, scipy, pandas and safetensors. One package more is
needed: accelerate (with its psutil), since the Trainer of transformers does not begin without it; what trains here is
the trainer of all other runs, so the records have the same form and are found by the same code.
"""

from ..base.extras import require
from .bare import stand_in

stand_in()  # before anything is imported that has shapes in its annotations
require("pandas", "accelerate", extra="train")
