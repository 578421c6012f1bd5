"""What a trainer is asked for: the loss and its weight, checked before any training."""

from collections.abc import Callable, Mapping
from numbers import Real

from torch import Tensor

from .. import losses

Loss = Callable[..., Tensor]
Asked = str | Mapping[str, float] | Loss | None
WEIGHT = 0.1  # the paper's, of one loss; a table has weights of its own


def checked(
    loss: Asked, weight: object, subsample: int | None, *, temperature: object = None, centre: object = None,
    clamp: float | None = None, acute: bool | None = None,
) -> tuple[Loss | None, float | Tensor]:  # fmt: skip
    """The loss as a function, `None` for plain training, and its weight; arguments as in `DispersionMixin`.

    weight, temperature, centre
        Whatever the user gave: their types are looked at here.

    Raises
        ValueError: an unknown loss; a weight or temperature that is not positive; a centre that is neither "batch" nor
            `None`; options beside a table or a function; and as the loss itself, of a few tokens.
    """
    usual = 1.0 if isinstance(loss, Mapping) else WEIGHT
    weight = usual if weight is None else weight
    if not isinstance(weight, Real | Tensor) or not isinstance(temperature, Real | Tensor | None):
        raise ValueError(f"weight and temperature are numbers, got {weight!r} and {temperature!r}.")
    if loss is not None and not 0 < weight < float("inf"):
        raise ValueError(f"weight must be above 0, got {weight}. For plain training give loss=None.")
    if temperature is not None and not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    if not (isinstance(centre, str | None) and centre in (None, "batch")):
        raise ValueError("centre is 'batch' or None. A tensor is of one layer: for a training loop of your own.")
    given = {"temperature": temperature, "centre": centre, "clamp": clamp, "acute": acute}
    made = _made(loss, {name: value for name, value in given.items() if value is not None})
    if made is not None:
        losses.trial(made, subsample)  # a bad option fails here, not at the first step
    return made, weight


def _made(asked: Asked, options: Mapping) -> Loss | None:
    if isinstance(asked, str):
        return losses.get(asked, **options)
    if options and asked is not None:
        first = next(iter(options))
        raise ValueError(f"{', '.join(options)}: set it in the loss itself, losses.get(name, {first}=...).")
    return losses.combined(asked) if isinstance(asked, Mapping) else asked
