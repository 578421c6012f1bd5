"""From the measurements of the expansion to the tables of its page."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from ...stats import Estimate, mean_and_interval
from .errors import ORDERS, cosine, loss_and_gradient


class Targets(NamedTuple):
    """What is asked of the expansion: percent of the loss, cosine of the gradients, times fewer multiplications."""

    value: float
    gradient: float
    work: int


class Change(NamedTuple):
    """A variant minus all pairs over seeds: mean cosine, and validation loss in percent of that of all pairs."""

    mu: Estimate
    validation_loss: Estimate


def arrangements(seed: int = 0) -> dict[str, Float[Tensor, "400 64"]]:
    """Six ways in which tokens can lie, from a narrow cone to two opposite clusters."""
    generator = torch.Generator().manual_seed(seed)
    noise = lambda size: size * torch.randn(400, 64, generator=generator)
    axes = torch.eye(64)
    return {
        "narrow cone": axes[0] + noise(0.03),
        "wide cone": axes[0] + noise(0.15),
        "all around": noise(1.0),
        "four clusters": axes[:4].repeat(100, 1) + noise(0.03),
        "two opposite clusters": torch.cat([axes[:1], -axes[:1]]).repeat(200, 1) + noise(0.03),
        "half a cone, half around": torch.cat([(axes[0] + noise(0.03))[:200], noise(0.125)[:200]]),
    }


def by_temperature(z: Float[Tensor, "tokens features"], temperatures: Sequence[float]) -> pd.DataFrame:
    """The columns `value`, `error` and `gradient` of `errors` for one sequence, one row a temperature."""
    rows = {}
    for temperature in temperatures:
        value, gradient = loss_and_gradient(z, temperature=temperature)
        rows[temperature] = {"value": value}
        for order, name in enumerate(ORDERS, start=1):
            near, push = loss_and_gradient(z, temperature=temperature, order=order)
            rows[temperature][f"error, {name}"] = 100 * (near - value) / abs(value)
            rows[temperature][f"gradient, {name}"] = cosine(push, gradient)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("temperature")


def multiplications(n: int, d: int) -> dict[str, float]:
    """Multiplications in value and gradient for n tokens with d features, by variant; the same on every machine.

        all pairs   3/2 n^2 d      the upper half of the Gram matrix, and its slopes times the directions
        order 1     6 n d          norms, weighted sum, radial part, and three for the gradient
        order 2     8 n d + 2 n d min(n, d)     a scaled copy each for value and gradient, two products with the
                                                smaller Gram matrix

    Of all pairs the n^2 / 2 values of arccos and exp are left out, and the part of the blocks below the diagonal: it is
    a lower bound, and so are ratios to it.
    """
    return {"all pairs": 1.5 * n**2 * d, "order 1": 6.0 * n * d, "order 2": 8.0 * n * d + 2.0 * n * d * min(n, d)}


def work(shapes: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """By shape (tokens, features): how many times fewer multiplications than all pairs each order needs, at least."""
    counts = {f"N = {n}, d = {d}": multiplications(n, d) for n, d in shapes}
    return pd.DataFrame(
        {where: {name: of["all pairs"] / of[name] for name in ORDERS} for where, of in counts.items()}
    ).T


def speed(times: Mapping[tuple[int, int], pd.DataFrame]) -> pd.DataFrame:
    """By shape (tokens, features), medians over the rounds: seconds of all pairs, and how much faster the others are.

    The ratio is taken round by round. `times` holds the tables of `timed`.
    """
    rows = {}
    for (n, d), table in times.items():
        ratios = table.rdiv(table["all pairs"], axis=0).drop(columns="all pairs").add_prefix("ratio, ").median()
        rows[f"N = {n}, d = {d}"] = {"seconds, all pairs": table["all pairs"].median()} | ratios.to_dict()
    return pd.DataFrame.from_dict(rows, orient="index")


def ends(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over the entries of one column of `trained` after the last step: a row per variant, a column per seed."""
    last = table.xs(table.index.get_level_values("step").max(), level="step")
    return last[column].groupby(["variant", "seed"], sort=False).mean().unstack("seed")


def changes(table: pd.DataFrame) -> dict[str, Change]:
    """Each variant of `trained` minus all pairs after the last step, taken seed by seed."""
    mu, loss = (ends(table, column) for column in ("mu", "validation_loss"))
    cost = 100 * (loss / loss.loc["all pairs"] - 1)
    apart = mu - mu.loc["all pairs"]
    return {
        name: Change(mean_and_interval(apart.loc[name]), mean_and_interval(cost.loc[name]))
        for name in mu.index.drop("all pairs")
    }


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    """The rows of `errors` of all tables, layers and looks alike."""
    return pd.concat([table.reset_index(drop=True) for table in tables], ignore_index=True)


def widest(rows: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """The largest spread of the cosines up to which every row meets the target of value or gradient, by order.

    0 where the row of the narrowest spread does not.
    """
    found = {}
    for name in ORDERS:
        value, gradient = rows[f"error, {name}"].abs() < targets.value, rows[f"gradient, {name}"] > targets.gradient
        found[name] = {"value": _widest(rows.spread, value), "gradient": _widest(rows.spread, gradient)}
    return pd.DataFrame(found)


def _widest(spread: pd.Series, held: pd.Series) -> float:
    order = np.argsort(spread.to_numpy())
    good = np.cumprod(held.to_numpy()[order]).astype(bool)
    return float(spread.to_numpy()[order][good].max(initial=0.0))
