"""Table 4: weight and temperature of the dispersion loss."""

from collections.abc import Sequence

import pandas as pd

from .. import paper
from ..paper.claims import Claim, judged, signed
from ..paper.verdicts import Test, effect
from ..runs import tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run

WEIGHT, TEMPERATURE = 0.1, 1.0  # the paper's choice
DEFAULT = "default"  # training without dispersion


def setting(weight: float, temperature: float) -> str:
    """The label of a setting: `λ 0.1, τ 1`."""
    return f"λ {weight:g}, τ {temperature:g}"


CHOSEN = setting(WEIGHT, TEMPERATURE)


def changes(weights: Sequence[float], temperatures: Sequence[float]) -> dict[str, dict]:
    """What each run changes, by its label: default training, the paper's choice, one of its two settings changed."""
    dispersion = CONDITIONS["dispersion"]
    found = {DEFAULT: CONDITIONS["train"], CHOSEN: dispersion}
    found |= {setting(w, TEMPERATURE): dispersion | {"weight": w} for w in weights if w != WEIGHT}
    return found | {setting(WEIGHT, t): dispersion | {"temperature": t} for t in temperatures if t != TEMPERATURE}


def by_weight(table: pd.DataFrame, weights: Sequence[float]) -> pd.DataFrame:
    """The rows of a table with a row per label in the order of the weight, default training first."""
    return table.loc[[DEFAULT, *(setting(w, TEMPERATURE) for w in sorted({*weights, WEIGHT}))]]


def by_temperature(table: pd.DataFrame, temperatures: Sequence[float]) -> pd.DataFrame:
    """The rows of a table with a row per label in the order of the temperature."""
    return table.loc[[setting(WEIGHT, t) for t in sorted({*temperatures, TEMPERATURE})]]


def published() -> pd.Series:
    """The printed average of each setting, by its label."""
    table = paper.table("table4_hyperparameters")
    return pd.Series({setting(row.lambda_disp, row.tau): row.average for row in table.itertuples()})


def published_default() -> float:
    """The printed average of default training, which Table 2 has."""
    rows = paper.table("table2_midtraining").set_index(["model", "condition", "benchmark"])["mean"]
    return float(rows["GPT2", "train", "average"])


def claims(runs: Sequence[Run]) -> list[Claim]:
    """Every setting beats default training, and the paper's choice is the best of them; an item is a setting.

    A setting of `runs` that the paper's table does not have takes no part: there is no effect to look for.
    """
    there, default = published(), published_default()
    settings = [label for label in tables.first(runs) if label in there.index]
    gains = {label: there[label] - default for label in settings}
    ahead = {label: there[CHOSEN] - there[label] for label in settings if label != CHOSEN}
    return judged([
        Claim(
            claim="robust: every setting beats default training",
            source="Table 4",
            published=signed(pd.Series(gains)),
            here=_found(runs, [(label, DEFAULT, label) for label in gains]),
            verdict=[_above(runs, label, DEFAULT, gain) for label, gain in gains.items()],
        ),
        Claim(
            claim="best at λ = 0.1 and τ = 1",
            source="Table 4",
            published=signed(pd.Series(ahead)),
            here=_found(runs, [(CHOSEN, label, label) for label in ahead]),
            verdict=[_above(runs, CHOSEN, label, gap) for label, gap in ahead.items()],
        ),
    ])  # fmt: skip


def _above(runs: Sequence[Run], label: str, other: str, published: float) -> Test:
    return effect(tables.paired_items(runs, label, other), published, "published")


def _found(runs: Sequence[Run], pairs: Sequence[tuple[str, str, str]]) -> str:
    return "; ".join(f"{name} {tables.text(tables.paired_items(runs, a, b), 2)}" for a, b, name in pairs)
