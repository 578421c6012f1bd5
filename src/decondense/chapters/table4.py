"""Table 4: weight and temperature of the dispersion loss."""

from collections.abc import Sequence

import pandas as pd

from .. import paper
from ..paper.claims import Claim, signed
from ..paper.verdicts import is_best
from ..runs import tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run
from ..stats import Interval

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
    """The rows of a table with a row a label in the order of the weight, default training first."""
    return table.loc[[DEFAULT, *(setting(w, TEMPERATURE) for w in sorted({*weights, WEIGHT}))]]


def by_temperature(table: pd.DataFrame, temperatures: Sequence[float]) -> pd.DataFrame:
    """The rows of a table with a row a label in the order of the temperature."""
    return table.loc[[setting(WEIGHT, t) for t in sorted({*temperatures, TEMPERATURE})]]


def published() -> pd.Series:
    """The printed average of each setting, by its label."""
    table = paper.table("table4_hyperparameters")
    return pd.Series({setting(row.lambda_disp, row.tau): row.average for row in table.itertuples()})


def published_default() -> float:
    """The printed average of default training, which Table 2 has."""
    rows = paper.table("table2_midtraining").set_index(["model", "condition", "benchmark"])["mean"]
    return float(rows["GPT2", "train", "average"])


def claims(runs: Sequence[Run], against: pd.DataFrame) -> list[Claim]:
    """Every setting beats default training, and the paper's choice is the best of them.

    against
        `tables.against` of `CHOSEN` and all other labels.
    """
    settings = [label for label in tables.first(runs) if label != DEFAULT]
    gains = pd.concat([tables.against(runs, label, [DEFAULT]).set_axis([label]) for label in settings])
    ahead, there = against.drop(DEFAULT), published()
    return [
        Claim(
            claim="robust: every setting beats default training",
            source="Table 4",
            published=signed(there - published_default()),
            here=signed(gains.difference),
            rule="every interval above 0",
            verdict=is_best(_intervals(gains), gains.difference.tolist()),
        ),
        Claim(
            claim="best at λ = 0.1 and τ = 1",
            source="Table 4",
            published=signed(there[CHOSEN] - there.drop(CHOSEN)),
            here=signed(ahead.difference),
            rule="every interval above 0",
            verdict=is_best(_intervals(ahead), ahead.difference.tolist()),
        ),
    ]


def _intervals(table: pd.DataFrame) -> list[Interval]:
    return [Interval(row.low, row.high) for row in table.itertuples()]
