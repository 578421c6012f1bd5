"""The claims of the page: this book's own on the mean cosine, the literature's on the effective rank."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from . import readings
from .readings import LATE, NAMES, RANK

DESIGN = "posttraining"  # of `paper.designs`
PUBLISHED = {"sft": "raises it", "dpo": "raises it", "grpo": "lowers it (reinforcement learning)"}
SOURCE = "Li et al. 2025 (across texts, other models)"


def claims(found: Mapping[str, Sequence[Run]], at: float, check: pd.DataFrame) -> list[Claim]:
    """`found`: the runs of each method; all are compared at the divergence `at` (nats a token, neutral text)."""
    design = designs.load(DESIGN)
    said: list[Claim] = []
    for method, runs in found.items():
        moved = readings.change(runs, LATE, at)
        said.append(_claim(f"{NAMES[method]} leaves late-half μ of neutral text where it was", moved, design.primary,
                           verdicts.no_change))  # fmt: skip
    for method, runs in found.items():
        added = readings.with_loss(runs, LATE, at)
        said.append(_claim(f"{NAMES[method]} with dispersion: lower late-half μ at equal divergence", added,
                           design.primary, verdicts.effect))  # fmt: skip
    for method, runs in found.items():
        up = method != "grpo"
        wanted = design.secondary._replace(smallest=abs(design.secondary.smallest) * (1 if up else -1))
        rank = readings.change(runs, RANK, at, relative=True)
        claim = f"{NAMES[method]} {'raises' if up else 'lowers'} the effective rank across texts"
        said.append(_claim(claim, rank, wanted, verdicts.effect, f"{PUBLISHED[method]}: {SOURCE}"))
    return judged([*said, check_claim(check)])


def _claim(claim: str, found: Estimate, wanted: designs.Effect, rule, published: str = "not stated") -> Claim:
    """Not testable where fewer than two runs came as far as the divergence."""
    if found.units < verdicts.LEAST_UNITS:
        verdict = verdicts.not_testable(f"{found.units} runs came as far as the common divergence")
        return Claim(claim=claim, published=published, here="no interval over seeds", verdict=verdict)
    tests = [rule(found, wanted.smallest, wanted.reason)]
    return Claim(claim=claim, published=published, here=text(found, 4), verdict=tests)
