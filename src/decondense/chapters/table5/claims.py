"""Claims on what dispersion does, by the design fixed before the runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ... import evaluate, paper, stats
from ...paper import designs, gpu
from ...paper.claims import Claim, check_claim, judged
from ...paper.verdicts import LEAST_UNITS, Test, Verdict, effect, not_testable
from ...runs import tables
from ...runs.run import Run
from .design import DESIGN
from .published import published_gain
from .quantities import ACCURACY, LATE, LIKELIHOOD, LOSS, difference, in_words
from .spread import by_chance


def claims(runs: Mapping[str, Sequence[Run]], check: pd.DataFrame, larger: Sequence[Run] = ()) -> list[Claim]:
    """Four claims on what dispersion does, one on the spread from run to run, and the check run.

    check
        The table of `grid.check_run`.
    larger
        The runs of the campaign's `pretraining` (`paper.gpu.runs`), which decide where they are larger.
    """
    design, gain = designs.load(DESIGN), published_gain()
    half = paper.SPREAD * paper.size_effect()
    rows = [
        ("dispersion: the right answers are likelier", "Table 5", f"{gain:+.2f} points of accuracy, one run each",
         LIKELIHOOD, design.primary.smallest, design.primary.reason),
        ("dispersion: higher average on the benchmarks", "Table 5", f"{gain:+.2f}, one run each", ACCURACY, gain,
         "the published gain"),
        ("dispersion: lower late-half μ", "Fig. 7b (mid-training)", "drawn", LATE, half,
         "half of GPT2-xl minus GPT2, Fig. 2a"),
        ("dispersion: lower validation loss", "this book", "not stated", LOSS, design.secondary.smallest,
         design.secondary.reason),
    ]  # fmt: skip
    found = [
        Claim(
            claim=claim,
            source=source,
            published=there,
            here=in_words(runs, quantity),
            verdict=_asked(runs, quantity, smallest, reason),
            power=_of_the_items(runs) if quantity == ACCURACY else "",
        )
        for claim, source, there, quantity, smallest, reason in rows
    ]
    here = [run for trained in runs.values() for run in trained]
    on_gpu = {3: gpu.LOSS, 2: gpu.LATE}  # the rows that its design asks too
    found = [
        gpu.decided(claim, "pretraining", on_gpu[row], here, larger) if row in on_gpu else claim
        for row, claim in enumerate(found)
    ]
    return judged([*found, by_chance(runs), check_claim(check)])


def _asked(runs: Mapping[str, Sequence[Run]], quantity: str, smallest: float, reason: str) -> list[Test] | Verdict:
    found = {name: difference(trained, "dispersion", quantity) for name, trained in runs.items()}
    if min(one.units for one in found.values()) < LEAST_UNITS:
        return not_testable("one seed each, as in the paper: no interval over seeds")
    if quantity == ACCURACY and (level := _floor(runs)):
        return not_testable(level)
    return [effect(one, smallest, reason) for one in found.values()]


def _floor(runs: Mapping[str, Sequence[Run]]) -> str:
    """Why the accuracies here cannot show the published gain; nothing where the benchmarks are the paper's."""
    name, trained = next(iter(runs.items()))
    if set(trained[0].evaluation.items.task) <= set(evaluate.PAPER_TASKS):
        return ""
    right = tables.accuracy(trained).loc["train"].drop("average")
    level = ", ".join(f"{task} {value:.1f} %" for task, value in right.items())
    return f"by design: the pilot answered these benchmarks, not the paper's, as one who guesses; {name} here: {level}"


def _of_the_items(runs: Mapping[str, Sequence[Run]]) -> str:
    seen = [stats.detectable(difference(trained, "dispersion", ACCURACY)) for trained in runs.values()]
    if not np.isfinite(seen).all():
        return ""
    found = ", ".join(f"{points:.2g}" for points in seen)
    return f"such runs find a difference of {found} points with a chance of {stats.POWER:.0%}"
