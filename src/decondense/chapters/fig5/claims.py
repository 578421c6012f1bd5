"""The claims: distilled models are not lower, nor are students that learn from a teacher's predictions."""

from collections.abc import Sequence

import pandas as pd

from ...condensation import Condensation
from ...pairing import paired_differences
from ...paper import designs
from ...paper.claims import Claim, check_claim, judged
from ...paper.trends import METRICS, REPEATS
from ...paper.verdicts import Verdict, each, effect, not_beyond, not_testable, word_of_not_beyond
from ...runs import tables
from ...runs.run import Run
from ...stats import Estimate, Interval
from .pairs import measured, published
from .students import BASELINE

DESIGN = designs.load("fig5")
# A tenth of the last divergence from the teacher of the pilot's students that saw the text alone, in nats a token.
CLOSER = -0.034


def claims(results: Sequence[Condensation], runs: Sequence[Run], check: pd.DataFrame) -> list[Claim]:
    """The pairs that were measured, the students, and the check run.

    results
        Models of `PAIRS`, any number of them.
    runs
        Students with the labels `BASELINE` and logits.
    check
        The table of `grid.check_run`.
    """
    return judged([*pair_claims(results), *student_claims(runs), check_claim(check)])


def pair_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Two claims on the models of the paper, rho and tau: the distilled one of a pair is not lower, an item a pair.

    Differences are taken text by text (`paired_differences`). The published ones go through the same rule, with
    the error of reading the figure as the interval.
    """
    pairs = measured(results)
    found = []
    for name, (symbol, _, statistic) in METRICS.items():
        apart = {size: paired_differences(pair, statistic)[0] for size, pair in pairs.items()}
        tests = [not_beyond(one, DESIGN.primary.smallest, DESIGN.primary.reason) for one in apart.values()]
        claim = Claim(
            claim=f"distilled models: {symbol} not lower by what counts",
            source="Fig. 5b",
            published=_published(symbol),
            here="; ".join(f"{size} {tables.text(one, 3)}" for size, one in apart.items()) or "none of them",
            verdict=tests or not_testable("needs the models, from the hub: `--profile gpu`"),
            repeats=REPEATS[name],
        )
        found.append(claim)
    return found


def _published(symbol: str) -> str:
    rows = published().set_index("metric").loc[symbol]
    margin = DESIGN.primary.smallest
    by_rule = each([
        Verdict(word_of_not_beyond(Interval(d - e, d + e), margin), "")
        for d, e in zip(rows["difference"], rows["error"], strict=True)
    ])  # fmt: skip
    values = "; ".join(f"{size} {d:+.3f}" for size, d in zip(rows["size"], rows["difference"], strict=True))
    return f"{values}, each ± {rows['error'].max():g} (by this rule, with that for the interval: {by_rule.word})"


def student_claims(runs: Sequence[Run]) -> list[Claim]:
    """Students that learn from predictions minus those of the text alone, seed by seed: `designs.toml`, fig5."""
    apart = lambda quantity: tables.paired(runs, "logits", BASELINE, quantity)
    level = apart(Run.late_half)
    divergence = apart(lambda run: run.curve["loss_distillation"].iloc[-1])
    own = (
        (
            "late-half μ not lower by what counts",
            level,
            not_beyond(level, DESIGN.secondary.smallest, DESIGN.secondary.reason),
        ),
        (
            "predictions closer to the teacher (nats a token)",
            divergence,
            effect(divergence, CLOSER, "a tenth of the divergence of the pilot's students of the text alone"),
        ),
    )
    return [
        *(_not_lower(name, apart(lambda run, name=name: getattr(run.look(), name))) for name in METRICS),
        *(Claim(claim=f"students of logits: {what}", here=tables.text(d, 3), verdict=[test]) for what, d, test in own),
    ]


def _not_lower(name: str, difference: Estimate) -> Claim:
    return Claim(
        claim=f"students of logits: {METRICS[name][0]} not lower by what counts",
        source="Fig. 5b",
        published="not lower, in pairs of large models (above)",
        here=tables.text(difference, 2),
        verdict=[not_beyond(difference, DESIGN.primary.smallest, DESIGN.primary.reason)],
        repeats=REPEATS[name],
    )
