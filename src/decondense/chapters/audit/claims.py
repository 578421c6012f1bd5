"""The claims that the audit tests, each with a verdict made by a function of the audit's tables."""

import numpy as np
import pandas as pd

from ... import paper
from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, TASKS
from ...paper.claims import OWN, Claim, number
from ...paper.verdicts import NOT_REPRODUCED, REPRODUCED, Verdict
from . import figures as audit_figures
from . import gains, granularity, selection
from . import tables as audit
from .rules import (
    ALPHA,
    ITEMS,
    PERMUTATION,
    WITHIN_ROUNDING,
    all_consistent,
    counted,
    judge_fall,
    judge_gain,
)


def arithmetic() -> list[Claim]:
    """Averages of Tables 2, 3 and 5; mean ranks, bold entries and best rows of Table 2."""
    claims = []
    for table, rows in audit.averages().groupby(level="table"):
        here = f"tasks and average apart by at most {(rows.printed - (rows.low + rows.high) / 2).abs().max():.2f}"
        verdict = all_consistent(rows.outcome)
        claim = "each average is the mean of its ten tasks"
        claims.append(
            Claim(
                claim=claim,
                source=table,
                published=f"{len(rows)} averages",
                here=here,
                rule=WITHIN_ROUNDING,
                verdict=verdict,
            )
        )
    ranks = audit.ranks()
    fits = {rule: int(np.isclose(ranks[rule], ranks.printed, atol=granularity.HALF).sum()) for rule in audit.TIES}
    here = "; ".join(f"{rule} {n}" for rule, n in fits.items())
    best = max(fits, key=fits.get)
    verdict = counted(fits[best], len(ranks), f"with ties at their {best} place")
    claim = "the ranks are mean places over the ten tasks"
    claims.append(
        Claim(
            claim=claim,
            source="Table 2",
            published=f"{len(ranks)} ranks",
            here=here,
            rule="one rule for ties gives all",
            verdict=verdict,
        )
    )
    columns = len(MID_TRAINED) * (len(TASKS) + 2)
    odd = audit.bold()
    here = "; ".join(f"{row.model} {row.benchmark}: {row.best} is higher" for row in odd.itertuples()) or "all"
    verdict = counted(columns - len(odd), columns, "columns")
    claims.append(
        Claim(
            claim="bold marks the best row",
            source="Table 2",
            published=f"{columns} columns",
            here=here,
            rule="every column",
            verdict=verdict,
        )
    )
    return claims + [_best(column) for column in ("average", "rank")]


def _best(column: str) -> Claim:
    values = accuracies.mid_trained()[column] * (1 if column == "average" else -1)
    others = values.drop("dispersion", level="condition").groupby(level="model").max()
    margin = values.xs("dispersion", level="condition") - others
    half = 0.005 if column == "average" else granularity.HALF
    verdict = counted(int((margin > 2 * half).sum()), len(margin), "base models")
    here = "; ".join(f"{model} {value:+.2f}" for model, value in margin.items())
    return Claim(
        claim=f"dispersion has the best {column}",
        source="Table 2",
        published="stated",
        here=here,
        rule="ahead beyond rounding",
        verdict=verdict,
    )


def significance() -> list[Claim]:
    """The t-test labels of Tables 2 and 3, by Student's test and others, and Holm's correction."""
    found = audit.labels()
    student, untrained = found.reading == "student", found.condition == "none"
    claims = []
    for table in ("Table 2", "Table 3"):
        rows = found[student & ~untrained & (found.table == table)]
        claim = "labels of trained rows: Student's t-test, equal variances, three runs each"
        claims.append(_labels(claim, table, rows))
    claim = "labels of untrained rows: Student's t-test, as three runs without a spread"
    claims.append(_labels(claim, "Table 2", found[student & untrained]))
    claim = "labels of untrained rows: one-sample test against a fixed value"
    claims.append(_labels(claim, OWN, found[found.reading == "one-sample"]))
    claim = "labels of trained rows: Welch's t-test, unequal variances"
    claims.append(_labels(claim, OWN, found[(found.reading == "welch") & (found.table == "Table 2") & ~untrained]))
    two = audit.likely_runs()
    rows = audit.labels(two)
    changed = pd.MultiIndex.from_frame(rows[["model", "condition"]]).isin(list(two))
    rows = rows[(rows.reading == "student") & changed]
    claims.append(_labels("labels of rows whose cells allow two runs and not three, with two", OWN, rows))
    marked = found[student & (found.table == "Table 2") & (found.label != "n.s.")]
    verdict = counted(int((marked.holm_high < ALPHA).sum()), len(marked), "labels below 0.05")
    here = f"largest {marked.holm_high.max():.2g}"
    claim = "labels below 0.05 stay so under Holm within a base model (spread between runs alone)"
    claims.append(
        Claim(
            claim=claim,
            source="Table 2",
            published=f"{len(marked)} labels",
            here=here,
            rule="Holm's p below 0.05",
            verdict=verdict,
        )
    )
    return claims


def _labels(claim: str, source: str, rows: pd.DataFrame) -> Claim:
    here = f"p {rows.p.min():.2g} to {rows.p.max():.2g}"
    tolerance = "label for all p within rounding"
    return Claim(
        claim=claim,
        source=source,
        published=f"{len(rows)} labels",
        here=here,
        rule=tolerance,
        verdict=all_consistent(rows.outcome),
    )


def runs() -> list[Claim]:
    """Three runs per printed cell, by base model; the rows without a spread as single runs."""
    found, claims = audit.runs(), []
    for (table, model), rows in found.groupby(level=["table", "model"], sort=False):
        cells = len(audit.GRANULAR) * len(rows)
        counts = rows.sum()
        here = "; ".join(f"{name}: {int(n)}" for name, n in counts.items() if name in ("mean of 2", "mean of 3"))
        verdict = counted(int(counts["mean of 3"]), cells, "cells")
        claim = f"{model}: cells are mean and spread of three runs on {accuracies.limit(model)} items"
        claims.append(
            Claim(
                claim=claim,
                source=table,
                published="3 runs",
                here=here,
                rule=WITHIN_ROUNDING,
                verdict=verdict,
            )
        )
    single = audit.single_runs()
    verdict = counted(int((single.cells == len(audit.GRANULAR)).sum()), len(single), "rows")
    odd = single[single.cells < len(audit.GRANULAR)]
    here = "; ".join(f"{row[1]} untrained: {int(n)} of {len(audit.GRANULAR)} cells" for row, n in odd.cells.items())
    claim = "rows without a spread are single runs on as many items as the released scripts take"
    claims.append(
        Claim(
            claim=claim,
            here=here or "all",
            rule=WITHIN_ROUNDING,
            verdict=verdict,
        )
    )
    return claims


def generalisation() -> list[Claim]:
    """The gains over plain training in Tables 2 and 5, and of the late half in Table 3, on other items."""
    claims, found = [], accuracies.gain_of_average()
    for row in found[found.against != "none"].itertuples():
        verdict = judge_gain(row.gain, row.error, row.flips_196, accuracies.equivalent_items(row.model))
        what = "late over early half" if row.table == "Table 3" else "dispersion over plain training"
        here = f"unpaired error {row.error:.2f}; without one task {row.low:+.2f} to {row.high:+.2f}"
        claim = f"{row.model}: {what}, on other items of the ten tasks"
        claims.append(
            Claim(
                claim=claim,
                source=row.table,
                published=f"{row.gain:+.2f}",
                here=here,
                rule=ITEMS,
                verdict=verdict,
            )
        )
    return claims


def spread_of_averages(simulations: int, seed: int) -> list[Claim]:
    """Do the averages vary as independent tasks would, without a choice of checkpoints and with one?"""
    rows, claims = accuracies.wide("std").dropna(subset=["average"]), []
    for checkpoints, how in ((1, "no choice"), (selection.CHECKPOINTS, f"best of {selection.CHECKPOINTS} checkpoints")):
        found = selection.spread_test(rows, checkpoints, simulations=simulations, seed=seed)
        there = number(found.observed, found.within_rounding)
        verdict = Verdict(REPRODUCED if found.p >= ALPHA else NOT_REPRODUCED, f"p = {found.p:.2g}")
        claim = f"variance of the averages over that of independent tasks: {how}"
        claims.append(
            Claim(
                claim=claim,
                source=OWN,
                published=there,
                here=number(found.expected, found.interval),
                rule="p of 0.05 or more",
                verdict=verdict,
            )
        )
    return claims


def settings() -> list[Claim]:
    """Table 4: the best setting, and the others against plain training, the best other loss, and the default."""
    found = gains.settings()
    others = found[found.is_default == 0]
    span = lambda column: f"{others[column].min():+.2f} to {others[column].max():+.2f}"
    beats = lambda column: int((others[column] > 0.01).sum())
    below = int((others.to_default < -0.01).sum())
    apart = int((others.p_same < ALPHA).sum())
    said = f"{len(others)} other settings"
    rounding = "beyond rounding"
    return [
        Claim(
            claim="weight 0.1 and temperature 1 are best",
            source="Table 4",
            published=said,
            here=span("to_default"),
            rule=rounding,
            verdict=counted(below, len(others), "others lie below"),
        ),
        Claim(
            claim="robust: every other setting is above plain training",
            source="Table 4",
            published=said,
            here=span("to_train"),
            rule=rounding,
            verdict=counted(beats("to_train"), len(others), "above"),
        ),
        Claim(
            claim="every other setting is above the best other loss of Table 2",
            source=OWN,
            published=said,
            here=span("to_best_other"),
            rule=rounding,
            verdict=counted(beats("to_best_other"), len(others), "above"),
        ),
        Claim(
            claim="others differ from the default, if they have its spread",
            source=OWN,
            published="no spread printed",
            here=f"p {others.p_same.min():.2g} to {others.p_same.max():.2g}",
            rule="p below 0.05",
            verdict=counted(apart, len(others), "below 0.05"),
        ),
    ]


def figures() -> list[Claim]:
    """Values that two figures share, and heat maps beside the correlations printed with them."""
    points, claims = audit_figures.shared_points(), []
    for (a, b), rows in points.groupby(["figure_a", "figure_b"]):
        source = f"Fig. {a[3:]}b, {b[3:]}{'b' if b == 'Fig5' else 'a'}"
        here = f"largest gap {rows.gap.max():.4f}"
        verdict = all_consistent(rows.outcome)
        claim = "rho and tau shown twice are the same"
        claims.append(
            Claim(
                claim=claim,
                source=source,
                published=f"{len(rows)} values",
                here=here,
                rule="errors of reading",
                verdict=verdict,
            )
        )
    maps = audit_figures.shared_heatmaps()
    here = f"largest gap {maps['largest gap'].max():.4f}"
    there = f"{maps.entries.sum()} entries"
    verdict = all_consistent(maps.outcome)
    claims.append(
        Claim(
            claim="heat maps shown twice are the same",
            source="Fig. 2a, S2a",
            published=there,
            here=here,
            rule="errors of reading",
            verdict=verdict,
        )
    )
    for figure, rows in audit_figures.heatmap_trends().groupby("figure"):
        odd = rows[rows.outcome == audit_figures.APART]
        here = "; ".join(
            f"{r.model} {r.metric} {r.low:.2f} to {r.high:.2f}, not {r.value:.2f}" for r in odd.itertuples()
        )
        claim = "the means of a heat map give the rho and tau beside it"
        source, verdict = f"Fig. {figure[3:]}a, {figure[3:]}b", all_consistent(rows.outcome)
        claims.append(
            Claim(
                claim=claim,
                source=source,
                published=f"{len(rows)} values",
                here=here or "all",
                rule="errors of reading",
                verdict=verdict,
            )
        )
    return claims


def falling() -> list[Claim]:
    """Lower rho and tau along the sizes, widths and checkpoints of Fig. 2b, 3b, 4 and S2."""
    claims, found = [], audit_figures.falls()
    for (figure, family, text), rows in found.groupby(["figure", "family", "text"], sort=False):
        n, least = int(rows.n.iloc[0]), rows.least.iloc[0]
        here = (
            f"{', '.join(str(r) for r in rows.rises)} of {n - 1} steps rise; {n} values give p of {least:.2g} at best"
        )
        values = paper.trend(figure, "spearman", family, text).value
        there = f"rho {values.iloc[0]:.2f} to {values.iloc[-1]:.2f}"
        panel = "b" if figure in ("Fig2", "Fig3") else ""
        claim, source = f"{family} on {text}: rho and tau fall along the series", f"Fig. {figure[3:]}{panel}"
        claims.append(
            Claim(
                claim=claim,
                source=source,
                published=there,
                here=here,
                rule=PERMUTATION,
                verdict=judge_fall(rows.high.tolist(), all(rows.falls)),
            )
        )
    p = max(audit_figures.families_together(metric) for metric in ("spearman", "kendall"))
    verdict = judge_fall([p], bool(found[found.figure == "Fig2"].falls.all()))
    claim, here = "the four families together (Fisher)", f"p {p:.2g}"
    claims.append(
        Claim(
            claim=claim,
            source=OWN,
            published="4 families",
            here=here,
            rule=PERMUTATION,
            verdict=verdict,
        )
    )
    return claims


def every(simulations: int, seed: int = 0) -> list[Claim]:
    """All claims of the audit, in the order of its page."""
    tables = arithmetic() + significance() + runs() + generalisation()
    return tables + spread_of_averages(simulations, seed) + settings() + figures() + falling()
