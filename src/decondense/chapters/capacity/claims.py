"""The claims on capacity: this book's own, with the smallest effects of the designs."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged, number
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import readings, rounding
from .readings import HELD, LATE, Filled
from .training import PUBLISHED

DESIGN, OF_LIVES, ROUNDED = "capacity", "capacity_lives", "capacity_rounded"  # of `paper.designs`
RANGE = 0.1 * PUBLISHED  # of the published value, to either side


def claims(sizes: Mapping[str, Filled], lives: Filled, rounded: Sequence[Run], check: pd.DataFrame) -> list[Claim]:
    """`sizes`: runs on random tokens by the size of model; `lives`: runs on made-up lives; `rounded`: of `rounding`.

    What is compared is compared where plain training holds most. check: the table of `training.check`.
    """
    random, known = designs.load(DESIGN), designs.load(OF_LIVES)
    full, of_lives = readings.at_capacity(sizes), [lives[readings.fullest(lives)]]
    held, spread = (readings.difference(full, quantity) for quantity in (HELD, LATE))
    facts = readings.difference(of_lives, HELD)
    filling = readings.with_more_data(sizes, LATE)
    return judged(
        [
            _published(full),
            _no_change(
                "random tokens: dispersion does not change how many bits are stored in the same steps",
                held,
                random.primary,
            ),
            _effect("random tokens: dispersion lowers late-half μ of a full model", spread, random.secondary),
            _effect("random tokens: the more data, the lower late-half μ", filling, random.secondary),
            _no_change("biographies: dispersion does not change how many facts are known", facts, known.primary),
            *_after_rounding(rounded),
            check_claim(check),
        ]
    )


def _published(full: Sequence[Sequence[Run]]) -> Claim:
    """What plain training holds lies within `RANGE` of what the source found.

    Runs that still learn show a lower bound of the capacity, which says nothing where it lies below the range.
    """
    found, apart = readings.of_plain(full), readings.of_plain(full, less=PUBLISHED)
    reason = "a tenth of the published bits, the difference from them"
    runs = [run for those in full for run in those]
    verdict = [verdicts.no_change(apart, RANGE, reason)] if found.units > 1 else verdicts.no_interval()
    if found.value < PUBLISHED - RANGE and readings.flat(runs) < len(runs):
        verdict = verdicts.not_testable("the runs still learnt when they ended: what they hold is a lower bound")
    return Claim(
        claim="plain training stores as many bits of random tokens as published",
        published=f"about {PUBLISHED} bits per parameter (Morris et al. 2025)",
        here=f"{number(found.value, found.interval)} bits per parameter",
        verdict=verdict,
    )


def _after_rounding(rounded: Sequence[Run]) -> list[Claim]:
    """Of the bits that the claims are about, those that were measured."""
    wanted, there = designs.load(ROUNDED), rounded[0].results["held"]
    found = []
    if "4" in there:
        kept = rounding.kept_more(rounded, "4")
        found.append(_effect("biographies: dispersion loses less by rounding to 4 bits", kept, wanted.primary))
    if "8" in there:
        lost = rounding.lost(rounded, "8")
        found.append(_no_change("biographies: plain training loses nothing at 8 bits", lost, wanted.secondary))
    return found


def _no_change(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    tests = [verdicts.no_change(found, wanted.smallest, wanted.reason)] if found.units > 1 else verdicts.no_interval()
    return Claim(claim=claim, here=text(found, 3), verdict=tests)


def _effect(claim: str, found: Estimate, wanted: designs.Effect) -> Claim:
    tests = [verdicts.effect(found, wanted.smallest, wanted.reason)] if found.units > 1 else verdicts.no_interval()
    return Claim(claim=claim, here=text(found, 3), verdict=tests)
