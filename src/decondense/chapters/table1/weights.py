"""The weight of a loss, on tokens: a spring pulls each to its place, as a training loss would; the loss pushes."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from ...losses import forces

WEIGHTS = (0, 0.1, 0.3, 0.6, 1, 2)
Tokens = Float[Tensor, "tokens features"]


def held(name: str, points: Tokens, weight: float, steps: int = 400, rate: float = 0.05) -> Tokens:
    """Where tokens are that begin at `points` (p), after gradient descent with the step rate / (1 + weight) on

        1/2 sum_i |z_i - p_i|^2 + weight N L(z).

    N, the number of tokens, makes up for the mean in the loss L: the push on one does not shrink with their number.

    Raises
        ValueError: an unknown loss, or one between texts.
    """
    z = points = points.double()
    for _ in range(steps if weight else 0):
        pull = points - z
        z = z + rate / (1 + weight) * (pull + weight * len(points) * forces.force(name, z))
    return z


def over_weights(
    names: Sequence[str], points: Tokens, weights: Sequence[float] = WEIGHTS
) -> dict[float, dict[str, Tokens]]:
    """`held` for each weight and each of the losses `names`."""
    return {weight: {name: held(name, points, weight) for name in names} for weight in weights}
