"""The claims: distilled models are not lower, nor are students, and what the students learnt."""

from collections.abc import Sequence

import pandas as pd

from ...condensation import Condensation
from ...pairing import paired_differences
from ...paper.claims import Claim, check_claim
from ...paper.trends import METRICS
from ...paper.verdicts import NOT_LOWER, is_negative, not_lower
from ...runs import tables
from ...runs.run import Run
from ...stats import Interval
from .pairs import measured, published
from .students import BASELINE, compared


def claims(
    results: Sequence[Condensation], runs: Sequence[Run], teacher: Condensation, check: pd.DataFrame
) -> list[Claim]:
    """The pairs that were measured, the students, and the check run.

    results
        Models of `PAIRS`, any number of them.
    runs
        Students with the labels `BASELINE`, logits, logits + dispersion, hidden states.
    check
        The table of `grid.check_run`.
    """
    found = compared(runs, teacher)
    divergence = tables.paired(runs, "logits", BASELINE, lambda run: run.curve["loss_distillation"].iloc[-1])
    book = {
        "dispersion on top: late-half μ lower": tables.paired(runs, "logits + dispersion", "logits", Run.late_half),
        "logits: predictions closer to the teacher": divergence,
        "hidden states: μ closer to the teacher": found["hidden states"]["to the teacher"],
    }
    rows = [
        (f"{kind}: {symbol} not lower", found[kind][symbol]) for kind in ("logits", "hidden states") for symbol in "ρτ"
    ]
    return [
        *pair_claims(results),
        *(
            Claim(claim=name, here=tables.text(d, 2), rule=NOT_LOWER, verdict=not_lower([d.interval]))
            for name, d in rows
        ),
        *(
            Claim(claim=name, here=tables.text(d), rule="interval over seeds below 0", verdict=is_negative(d.interval))
            for name, d in book.items()
        ),
        check_claim(check),
    ]


def pair_claims(results: Sequence[Condensation]) -> list[Claim]:
    """Two claims on the models of the paper, rho and tau: the distilled one of a pair is not lower.

    Differences are taken text by text (`paired_differences`). The published ones go through the same rule, with
    the error of reading the figure as the interval.
    """
    claims, there = [], published().set_index("metric")
    for symbol, _, statistic in METRICS.values():
        rows = there.loc[symbol]
        by_reading = [Interval(d - e, d + e) for d, e in zip(rows["difference"], rows["error"], strict=True)]
        values = "; ".join(f"{size} {d:+.3f}" for size, d in zip(rows["size"], rows["difference"], strict=True))
        values += f", each ± {rows['error'].max():g} (by this rule: {not_lower(by_reading).word})"
        found = {size: paired_differences(pair, statistic)[0] for size, pair in measured(results).items()}
        here = "; ".join(f"{size} [{low:+.3f}, {high:+.3f}]" for size, (low, high) in found.items()) or "none of them"
        verdict = not_lower(list(found.values()))
        claims.append(
            Claim(
                claim=f"distilled models: {symbol} not lower",
                source="Fig. 5b",
                published=values,
                here=here,
                rule=NOT_LOWER,
                verdict=verdict,
            )
        )
    return claims
