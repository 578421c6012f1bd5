"""The designs of the experiments that carry a verdict (`designs.toml`), fixed before the runs; what each can see."""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .. import stats
from ..base.errors import unknown
from . import pd


class Effect(NamedTuple):
    """A quantity of a design.

    smallest
        The smallest effect that counts, in the units of the quantity, with the sign of the claim.
    reason
        Where it comes from.
    spread
        Standard deviation of the effect from unit to unit, in the pilot runs.
    published
        The paper's effect; `None` where it has no such number.
    """

    quantity: str
    smallest: float
    reason: str
    spread: float
    published: float | None = None


class Design(NamedTuple):
    """An experiment: what is compared, over `n` units of which kind, which pilot runs gave the spread, its effects."""

    what: str
    unit: str
    n: int
    pilot: str
    primary: Effect
    secondary: Effect


def load(name: str) -> Design:
    """One design by its name, that of a table in `designs.toml`.

    Raises
        ValueError: unknown design; a smallest effect that `n` units do not find with a chance of 80 % (`check`).
    """
    if name not in _table():
        raise unknown("design", name, _table())
    entry = _table()[name]
    primary, secondary = (Effect(**entry[which]) for which in ("primary", "secondary"))
    found = Design(entry["what"], entry["unit"], entry["n"], entry["pilot"], primary, secondary)
    check(found)
    return found


def check(design: Design) -> None:
    """Refuse a design that cannot see what it asks for: it is not run for a verdict.

    Raises
        ValueError: an effect smaller than `stats.detectable_with`.
    """
    for effect in (design.primary, design.secondary):
        seen = stats.detectable_with(effect.spread, design.n)
        if abs(effect.smallest) < seen:
            raise ValueError(
                f"{design.n} {design.unit}s find a change of {effect.quantity} of {seen:.2g} with a chance of "
                f"{stats.POWER:.0%}, and {abs(effect.smallest):.2g} is asked for: plan more {design.unit}s."
            )


def power(name: str) -> pd.DataFrame:
    """What a design can see: a row per quantity, with its unit, n, spread and the effects in the units of the quantity.

    `detectable`: the smallest true effect that a two-sided test at 5 % finds with a chance of 80 %
    (`stats.detectable_with`), the spread of the pilot taken as the true one. It is for one test: Holm over a whole
    page asks for more. Every design that `load` gives sees its smallest effect.
    """
    design = load(name)
    rows = {
        effect.quantity: {
            "unit": design.unit,
            "n": design.n,
            "spread": effect.spread,
            "detectable": stats.detectable_with(effect.spread, design.n),
            "smallest that counts": effect.smallest,
            "published": effect.published,
            "because": effect.reason,
        }
        for effect in (design.primary, design.secondary)
    }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"published": float})


@cache
def _table() -> dict:
    return tomllib.loads(Path(__file__).with_name("designs.toml").read_text(encoding="utf-8"))
