"""The claims on the expansion. The paper makes none: the targets are this book's."""

from collections.abc import Iterator, Mapping

import pandas as pd

from ...paper import verdicts
from ...paper.claims import Claim, judged
from ...runs.tables import text
from .errors import ORDERS
from .tables import Change, Targets, changes, together, work

# Of training with it: mu, and percent of the validation loss. Fixed before the first run.
GEOMETRY, COST = 0.02, 1.0
MARGIN = "this page's margin"


def claims(
    times: Mapping[tuple[int, int], pd.DataFrame], layers: pd.DataFrame, training: pd.DataFrame, targets: Targets
) -> list[Claim]:
    """Work at the shapes of `times`, errors on real layers, bounds, and training; the tables of `measurements`."""
    rows, found = together(layers, training), changes(training)
    return judged(
        [
            *(_work(name, times, targets.work) for name in ORDERS),
            *(claim for name in ORDERS for claim in _errors(name, layers, targets)),
            *(_bound(name, rows) for name in ORDERS),
            *(claim for name in ORDERS for claim in _training(name, found[name], found["no loss"])),
        ]
    )


def _work(name: str, times: Mapping[tuple[int, int], pd.DataFrame], target: int) -> Claim:
    fewer = work(list(times))[name]
    seconds = [f"{(table['all pairs'] / table[name]).median():.1f}" for table in times.values()]
    counted = "; ".join(f"{where}: {ratio:.3g}" for where, ratio in fewer.items())
    return Claim(
        claim=f"{name}: {target} times fewer multiplications than all pairs",
        here=f"{counted}. In seconds on one machine, not judged: {'; '.join(seconds)} times as fast",
        rule=f"{target} times or more at each shape, by formula",
        verdict=verdicts.exact((fewer >= target).sum(), len(fewer), "shapes"),
    )


def _errors(name: str, layers: pd.DataFrame, targets: Targets) -> Iterator[Claim]:
    off, push = layers[f"error, {name}"].abs(), layers[f"gradient, {name}"]
    yield Claim(
        claim=f"{name}: value within {targets.value:g} % on real layers",
        here=f"largest {off.max():.2f} %, median {off.median():.2f} %",
        rule=f"{targets.value:g} % of the loss, at each entry of each text",
        verdict=verdicts.exact((off <= targets.value).sum(), len(off), "entries of texts"),
    )
    yield Claim(
        claim=f"{name}: cosine of the gradients above {targets.gradient:g} on real layers",
        here=f"lowest {push.min():.4f}, median {push.median():.4f}",
        rule=f"above {targets.gradient:g}, at each entry of each text",
        verdict=verdicts.exact((push > targets.gradient).sum(), len(push), "entries of texts"),
    )


def _bound(name: str, rows: pd.DataFrame) -> Claim:
    share = rows[f"error, {name}"].abs() / rows[f"bound, {name}"]
    return Claim(
        claim=f"{name}: the error is within its bound",
        here=f"at most {share.max():.2g} of the bound",
        rule="each row of layers and training; it is proved, so this checks the code",
        verdict=verdicts.exact((share <= 1).sum(), len(rows), "rows"),
    )


def _training(name: str, change: Change, without: Change) -> Iterator[Claim]:
    yield Claim(
        claim=f"{name}: training gives the geometry of all pairs",
        here=f"μ {text(change.mu)}; without the loss {text(without.mu)}",
        verdict=[verdicts.no_change(change.mu, GEOMETRY, f"{MARGIN}, in μ")],
    )
    yield Claim(
        claim=f"{name}: and its validation loss",
        here=f"{text(change.validation_loss, 2)} %",
        verdict=[verdicts.no_change(change.validation_loss, COST, f"{MARGIN}, in percent")],
    )
