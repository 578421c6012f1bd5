"""Linear layers of a model rounded to few bits, weights alone or with their inputs: what rounding costs a model.

For as long as a `with` block lasts::

    from decondense.quantise import Scheme, quantised
    with quantised(model, Scheme(bits=4, group=32)):
        loss = model(input_ids=ids, labels=ids).loss      # of the rounded model; afterwards the weights are as before

Rounding is simulated: values lie on the levels, and are computed with in the model's own precision. Nothing is packed,
nothing is faster. `decondense.models.load(bits=...)` is something else: a control of measurements, in blocks of 32, of
embeddings too. This room rounds as quantisation libraries do: linear layers by output channel or by group, embeddings
and head left as they are.
"""

from .aware import aware_
from .layers import Layers, layers
from .outliers import outliers
from .rotation import rotated
from .rounding import TERNARY, rounded, ternary, to_nearest
from .scheme import Scheme
from .whole import quantise_, quantised

__all__ = [
    "TERNARY",
    "Layers",
    "Scheme",
    "aware_",
    "layers",
    "outliers",
    "quantise_",
    "quantised",
    "rotated",
    "rounded",
    "ternary",
    "to_nearest",
]
