"""The claims on the expansion. The paper makes none: the targets are this book's."""

from collections.abc import Iterator, Mapping

import pandas as pd

from ...paper import verdicts
from ...paper.claims import Claim
from ...runs.tables import text
from .errors import ORDERS
from .tables import Change, Targets, changes, together

GEOMETRY, COST = 0.02, 1.0  # tolerances of training with it: mu, and percent of the validation loss


def claims(
    times: Mapping[tuple[int, int], pd.DataFrame], layers: pd.DataFrame, training: pd.DataFrame, targets: Targets
) -> list[Claim]:
    """Speed at the last of the shapes, errors on real layers, bounds, and training; the tables of `measurements`."""
    shape, rows = list(times)[-1], together(layers, training)
    found = changes(training)
    return [
        *(_speed(name, shape, times[shape], targets.speed) for name in ORDERS),
        *(claim for name in ORDERS for claim in _errors(name, layers, targets)),
        *(_bound(name, rows) for name in ORDERS),
        *(claim for name in ORDERS for claim in _training(name, found[name], found["no loss"])),
    ]


def _speed(name: str, shape: tuple[int, int], seconds: pd.DataFrame, target: int) -> Claim:
    ratio = seconds["all pairs"] / seconds[name]
    return Claim(
        claim=f"{name}: {target} times as fast as all pairs at N = {shape[0]}, d = {shape[1]}",
        here=f"{ratio.median():.1f} [{ratio.min():.1f}, {ratio.max():.1f}]",
        rule=f"each round above {target}",
        verdict=verdicts.all_above(ratio.tolist(), float(target)),
    )


def _errors(name: str, layers: pd.DataFrame, targets: Targets) -> Iterator[Claim]:
    off, push = layers[f"error, {name}"].abs(), layers[f"gradient, {name}"]
    yield Claim(
        claim=f"{name}: value within {targets.value:g} % on real layers",
        here=f"largest {off.max():.2f} %, median {off.median():.2f} %",
        rule=f"{targets.value:g} % of the loss",
        verdict=verdicts.all_below(off.tolist(), [targets.value] * len(off)),
    )
    yield Claim(
        claim=f"{name}: cosine of the gradients on real layers",
        here=f"lowest {push.min():.4f}",
        rule=f"above {targets.gradient}",
        verdict=verdicts.all_above(push.tolist(), targets.gradient),
    )


def _bound(name: str, rows: pd.DataFrame) -> Claim:
    return Claim(
        claim=f"{name}: the error is within its bound",
        here=f"{len(rows)} rows",
        rule="each",
        verdict=verdicts.all_below(rows[f"error, {name}"].abs().tolist(), rows[f"bound, {name}"].tolist()),
    )


def _training(name: str, change: Change, without: Change) -> Iterator[Claim]:
    yield Claim(
        claim=f"{name}: training gives the geometry of all pairs",
        here=f"μ {text(change.mu)}; without the loss {text(without.mu)}",
        rule=f"interval within {GEOMETRY:g}",
        verdict=verdicts.is_zero(change.mu.mean, change.mu.interval, GEOMETRY),
    )
    yield Claim(
        claim=f"{name}: and its validation loss",
        here=f"{text(change.validation_loss, 2)} %",
        rule=f"interval within {COST:g} %",
        verdict=verdicts.is_zero(change.validation_loss.mean, change.validation_loss.interval, COST),
    )
