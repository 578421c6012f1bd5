"""What a loss pushes: forces on tokens, taken from its real gradient."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .. import losses, metrics
from ..base.extras import need

# A value is in [0, 180]; where two tokens coincide or are opposite, no direction of the force is defined.
DEGREES = np.linspace(2, 178, 89)
ROUNDING = 1e-24  # of the square of a force in float64: a smaller share of it has no direction

Loss = Callable[..., Float[Tensor, ""]]


def force(name: str, z: Float[Tensor, "tokens features"], **options) -> Float[Tensor, "tokens features"]:
    """Minus the gradient of the loss `name` at the tokens of one sequence: where gradient descent moves them.

    Raises
        ValueError: unknown loss or option; a loss between texts, which has none on one.
    """
    return _force(losses.get(name, **options), z[None])[0]


def _force(loss: Loss, z: Float[Tensor, "batch tokens features"]) -> Float[Tensor, "batch tokens features"]:
    z = z.detach().double().requires_grad_()
    value(loss, z).backward()
    return -z.grad


def value(loss: Loss, z: Float[Tensor, "batch tokens features"]) -> Float[Tensor, ""]:
    """The loss of a batch, without the warning of a loss that is flat."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # where a loss is flat is what is asked
        return loss(z)


def by_angle(names: Sequence[str], degrees: Float[np.ndarray, "angles"] = DEGREES, **options) -> "pandas.DataFrame":
    """The force between two tokens of length 1 at an angle: one row per angle, one column per loss; positive is apart.

    The component of the force on one of them along the circle through both, in units of the loss per radian.
    """
    radians = np.radians(degrees)
    columns = {}
    for name in names:
        forces = []
        for angle in radians:
            z = torch.tensor([[1.0, 0.0], [np.cos(angle), np.sin(angle)]], dtype=torch.float64)
            apart = torch.tensor([-np.sin(angle), np.cos(angle)])
            forces.append(float(force(name, z, **options)[1] @ apart))
        columns[name] = forces
    pandas = need("pandas", extra="train")
    return pandas.DataFrame(columns, index=pandas.Index(degrees, name="angle in degrees"))


def radial_share(name: str, z: Float[Tensor, "tokens features"], **options) -> float:
    """Share in [0, 1] of the squared force that changes norms and not directions, over all tokens."""
    z, pushed = z.double(), force(name, z, **options)
    along = (pushed * torch.nn.functional.normalize(z, dim=-1)).sum(-1)
    return float(along.square().sum() / pushed.square().sum().clamp_min(1e-30))


def cloud(tokens: int = 40, opening: float = 35.0, seed: int = 0) -> Float[Tensor, "tokens 3"]:
    """Points on the unit sphere in a cone around (1, 1, 1): a small picture of condensed embeddings.

    `opening` is the root mean square of their angle to the axis in degrees, where it is small. Each has length 1.
    """
    rng = np.random.default_rng(seed)
    axis = np.ones(3) / np.sqrt(3)
    points = axis + np.tan(np.radians(opening)) * rng.standard_normal((tokens, 3)) / np.sqrt(2)
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


def flow(
    name: str, points: Float[Tensor, "tokens features"], steps: int = 40, length: float = 0.1, **options
) -> Float[np.ndarray, "moments tokens features"]:
    """Gradient descent of the tokens themselves: their places before and after each step.

    Each step moves the tokens by `length` in the root mean square, whatever the size of the gradient; it stops short
    where the force vanishes. Shows directions, not speed.
    """
    places = [points.double()]
    for _ in range(steps):
        push = force(name, places[-1], **options)
        size = push.square().sum(-1).mean().sqrt()
        places.append(places[-1] + length * push / size.clamp_min(1e-6))
    return torch.stack(places).numpy()


def probe(z: Float[Tensor, "tokens features"], names: Sequence[str], step: float = 0.05) -> "pandas.DataFrame":
    """What one step on each loss does to the tokens of a real layer: one row per loss.

    The step has the length `step` times that of all tokens together. Columns: the value of the loss, the cosine of its
    force with that of the first of `names`, the share of the force that is radial, the share along the mean direction
    of the tokens, mu (mean cosine, diagonal included) after the step, its change, and that of the mean norm in percent.
    """
    z = z.double()
    before, norm = float(metrics.mean_cosine(z).all_pairs), z.norm(dim=-1).mean()
    mean = torch.nn.functional.normalize(metrics.unit_rows(z).mean(0), dim=0)
    first = force(names[0], z)
    rows = {}
    for name in names:
        push = force(name, z)
        after = z + step * z.norm() * push / push.norm().clamp_min(1e-30)
        rows[name] = {
            "value": float(value(losses.get(name), z[None])),
            f"cosine with {names[0]}": float((push * first).sum() / (push.norm() * first.norm()).clamp_min(1e-30)),
            "radial share": radial_share(name, z),
            "share along the mean": float((push @ mean).square().sum() / push.square().sum().clamp_min(1e-30)),
            "mu after": float(metrics.mean_cosine(after).all_pairs),
            "change of mu": float(metrics.mean_cosine(after).all_pairs) - before,
            "change of norm in %": float(100 * (after.norm(dim=-1).mean() / norm - 1)),
        }
    return need("pandas", extra="train").DataFrame.from_dict(rows, orient="index")


def angular(
    push: Float[Tensor, "*batch features"], z: Float[Tensor, "*batch features"]
) -> Float[Tensor, "*batch features"]:
    """The part of a force that turns each token: without the radial part, which only changes its norm."""
    u = metrics.unit_rows(z)
    return push - u * (push * u).sum(-1, keepdim=True)


def concentration(
    z: Float[Tensor, "*batch tokens features"], chosen: Mapping[str, Loss], top: Sequence[int] = (1, 3, 5)
) -> "pandas.DataFrame":
    """In how few dimensions, and on which tokens, losses push those of a layer: one row per loss.

    z
        One text, or as many texts of one length as a loss between texts needs. No token is left out.
    chosen
        A name for each row, and a loss as `losses.get` gives it.

    Columns, of the angular force (`angular`), shares in [0, 1] of its square over all tokens: `in top k`, in the k
    dimensions in which the mean of all directions is largest in size; `along the mean`, along that mean. Then `first
    token`: the force on the first token of a text over the median of the force on its others, the mean over the texts.
    NaN where no more than rounding is angular, as of a loss of the norms alone.
    """
    batch = z.double().reshape(-1, *z.shape[-2:])
    mean = torch.nn.functional.normalize(metrics.unit_rows(batch).mean((0, 1)), dim=0)
    rows = {label: _shares(_force(loss, batch), batch, mean, top) for label, loss in chosen.items()}
    columns = [*(f"in top {k}" for k in top), "along the mean", "first token"]
    return need("pandas", extra="train").DataFrame.from_dict(rows, orient="index", columns=columns)


def alike(z: Float[Tensor, "batch tokens features"], chosen: Mapping[str, Loss]) -> "pandas.DataFrame":
    """The cosines between the forces of losses on all tokens of a batch together: a row and a column per loss.

    NaN where a loss pushes nothing.
    """
    pushes = {label: _force(loss, z).flatten() for label, loss in chosen.items()}
    units = {label: push / push.norm() for label, push in pushes.items()}
    rows = {label: {other: float(u @ v) for other, v in units.items()} for label, u in units.items()}
    return need("pandas", extra="train").DataFrame.from_dict(rows, orient="index")


def radial(loss: Loss, z: Float[Tensor, "batch tokens features"]) -> float:
    """Share in [0, 1] of the squared force that changes norms and not directions, over all tokens of a batch."""
    push = _force(loss, z)
    return 1 - float(angular(push, z.double()).square().sum() / push.square().sum().clamp_min(1e-30))


def _shares(push: Tensor, z: Tensor, mean: Tensor, top: Sequence[int]) -> list[float]:
    turning = angular(push, z)
    whole, size = turning.square().sum(), torch.linalg.vector_norm(turning, dim=-1)
    if whole <= ROUNDING * push.square().sum():
        return [np.nan] * (len(top) + 2)
    by_dimension = turning.square().sum((0, 1))[mean.abs().argsort(descending=True)] / whole
    first = size[:, 0] / size[:, 1:].median(-1).values.clamp_min(1e-30)
    return [
        *(float(by_dimension[:k].sum()) for k in top),
        float((turning @ mean).square().sum() / whole),
        float(first.mean()),
    ]


def elongation(z: Float[np.ndarray, "tokens features"]) -> float:
    """Largest over smallest standard deviation along the principal axes: 1 for a round cloud, larger for a long one."""
    values = np.linalg.svd(z - z.mean(0), compute_uv=False)
    return float(values[0] / max(values[-1], 1e-12))
