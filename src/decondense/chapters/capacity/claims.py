"""The claims on capacity: this book's own, with the smallest effects of the designs."""

from collections.abc import Mapping

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged
from ...runs.tables import text
from ...stats import Estimate
from . import readings
from .readings import HELD, LATE, Filled
from .training import PUBLISHED

DESIGN, OF_LIVES = "capacity", "capacity_lives"  # of `paper.designs`
RANGE = 0.1 * PUBLISHED  # of the published value, to either side


def claims(sizes: Mapping[str, Filled], lives: Filled, check: pd.DataFrame) -> list[Claim]:
    """`sizes`: runs on random tokens by the size of model; `lives`: runs on made-up lives.

    What is compared is compared where plain training holds most. check: the table of `training.check`.
    """
    random, known = designs.load(DESIGN), designs.load(OF_LIVES)
    full, of_lives = readings.at_capacity(sizes), [lives[readings.fullest(lives)]]
    return judged(
        [
            _within("plain training holds as many bits of random tokens as published",
                    readings.of_plain(full, less=PUBLISHED), RANGE, "a tenth of the published bits a parameter",
                    published=f"about {PUBLISHED} bits a parameter"),
            _within("random tokens: dispersion leaves the capacity as it is", readings.difference(full, HELD),
                    random.primary.smallest, random.primary.reason),
            _effect("random tokens: dispersion lowers late-half μ of a full model", readings.difference(full, LATE),
                    random.secondary),
            _effect("random tokens: the fuller the model, the lower late-half μ", readings.with_more_data(sizes, LATE),
                    random.secondary),
            _within("made-up lives: dispersion leaves the facts that are known as they are",
                    readings.difference(of_lives, HELD), known.primary.smallest, known.primary.reason),
            check_claim(check),
        ]
    )  # fmt: skip


def _within(claim: str, found: Estimate, margin: float, reason: str, published: str = "not stated") -> Claim:
    tests = [verdicts.no_change(found, margin, reason)] if found.units > 1 else _no_interval()
    return Claim(claim=claim, published=published, here=text(found, 3), verdict=tests)


def _effect(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if found.units > 1 else _no_interval()
    return Claim(claim=claim, here=text(found, 3), verdict=tests)


def _no_interval() -> verdicts.Verdict:
    return verdicts.not_testable("one seed: no interval over seeds")
