"""The claims that the audit tests, each with a verdict made by a function of the audit's tables."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ... import paper
from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, TASKS
from ...paper.claims import OWN, Claim, number
from ...paper.verdicts import NOT_REPRODUCED, REPRODUCED, Verdict
from . import gains, granularity, published_figures, selection, tables
from .rules import ALPHA, ITEMS, PERMUTATION, WITHIN_ROUNDING, all_consistent, counted, judge_fall, judge_gain

BEYOND = "beyond rounding"
READING = "errors of reading"


def claims(simulations: int, seed: int = 0) -> list[Claim]:
    """All claims of the audit, in the order of its page."""
    found = [*averages(), *ranks(), *significance(), *runs(), *generalisation(), *spreads(simulations, seed)]
    return [*found, *settings(), *shown_twice(), *heatmap_trends(), *falling()]


def averages() -> Iterator[Claim]:
    """Averages of Tables 2, 3 and 5."""
    for table, rows in tables.averages().groupby(level="table"):
        yield Claim(
            claim="each average is the mean of its ten tasks",
            source=table,
            published=f"{len(rows)} averages",
            here=f"tasks and average apart by at most {(rows.printed - (rows.low + rows.high) / 2).abs().max():.2f}",
            rule=WITHIN_ROUNDING,
            verdict=all_consistent(rows.outcome),
        )


def ranks() -> Iterator[Claim]:
    """Mean ranks, bold entries and best rows of Table 2."""
    found = tables.ranks()
    fits = {rule: int(np.isclose(found[rule], found.printed, atol=granularity.HALF).sum()) for rule in tables.TIES}
    best = max(fits, key=fits.get)
    yield Claim(
        claim="the ranks are mean places over the ten tasks",
        source="Table 2",
        published=f"{len(found)} ranks",
        here="; ".join(f"{rule} {n}" for rule, n in fits.items()),
        rule="one rule for ties gives all",
        verdict=counted(fits[best], len(found), f"with ties at their {best} place"),
    )
    columns, odd = len(MID_TRAINED) * (len(TASKS) + 2), tables.bold()
    yield Claim(
        claim="bold marks the best row",
        source="Table 2",
        published=f"{columns} columns",
        here="; ".join(f"{row.model} {row.benchmark}: {row.best} is higher" for row in odd.itertuples()) or "all",
        rule="every column",
        verdict=counted(columns - len(odd), columns, "columns"),
    )
    yield _best("average", 0.005)
    yield _best("rank", granularity.HALF)


def _best(column: str, half: float) -> Claim:
    values = accuracies.mid_trained()[column] * (-1 if column == "rank" else 1)
    others = values.drop("dispersion", level="condition").groupby(level="model").max()
    margin = values.xs("dispersion", level="condition") - others
    return Claim(
        claim=f"dispersion has the best {column}",
        source="Table 2",
        published="stated",
        here="; ".join(f"{model} {value:+.2f}" for model, value in margin.items()),
        rule="ahead beyond rounding",
        verdict=counted(int((margin > 2 * half).sum()), len(margin), "base models"),
    )


def significance() -> Iterator[Claim]:
    """The t-test labels of Tables 2 and 3, by Student's test and others, and Holm's correction."""
    found = tables.labels()
    student, untrained, second = found.reading == "student", found.condition == "none", found.table == "Table 2"
    trained = "labels of trained rows: Student's t-test, equal variances, three runs each"
    yield _labels(trained, "Table 2", found[student & ~untrained & second])
    yield _labels(trained, "Table 3", found[student & ~untrained & (found.table == "Table 3")])
    claim = "labels of untrained rows: Student's t-test, as three runs without a spread"
    yield _labels(claim, "Table 2", found[student & untrained])
    claim = "labels of untrained rows: one-sample test against a fixed value"
    yield _labels(claim, OWN, found[found.reading == "one-sample"])
    claim = "labels of trained rows: Welch's t-test, unequal variances"
    yield _labels(claim, OWN, found[(found.reading == "welch") & second & ~untrained])
    claim = "labels of rows whose cells allow two runs and not three, with two"
    yield _labels(claim, OWN, tables.labels_of_two_runs())
    marked = found[student & second & (found.label != "n.s.")]
    yield Claim(
        claim="labels below 0.05 stay so under Holm within a base model (spread between runs alone)",
        source="Table 2",
        published=f"{len(marked)} labels",
        here=f"largest {marked.holm_high.max():.2g}",
        rule="Holm's p below 0.05",
        verdict=counted(int((marked.holm_high < ALPHA).sum()), len(marked), "labels below 0.05"),
    )


def _labels(claim: str, source: str, rows: pd.DataFrame) -> Claim:
    here, rule = f"p {rows.p.min():.2g} to {rows.p.max():.2g}", "label for all p within rounding"
    verdict = all_consistent(rows.outcome)
    return Claim(claim=claim, source=source, published=f"{len(rows)} labels", here=here, rule=rule, verdict=verdict)


def runs() -> Iterator[Claim]:
    """Three runs per printed cell, by base model; the rows without a spread as single runs."""
    of = len(tables.GRANULAR)
    for (table, model), rows in tables.runs().groupby(level=["table", "model"], sort=False):
        yield Claim(
            claim=f"{model}: cells are mean and spread of three runs on {accuracies.limit(model)} items",
            source=table,
            published="3 runs",
            here="; ".join(f"{name}: {int(rows[name].sum())}" for name in ("mean of 2", "mean of 3")),
            rule=WITHIN_ROUNDING,
            verdict=counted(int(rows["mean of 3"].sum()), of * len(rows), "cells"),
        )
    single = tables.single_runs()
    odd = single[single.cells < of]
    yield Claim(
        claim="rows without a spread are single runs on as many items as the released scripts take",
        here="; ".join(f"{row[1]} untrained: {int(n)} of {of} cells" for row, n in odd.cells.items()) or "all",
        rule=WITHIN_ROUNDING,
        verdict=counted(len(single) - len(odd), len(single), "rows"),
    )


def generalisation() -> Iterator[Claim]:
    """The gains over plain training in Tables 2 and 5, and of the late half in Table 3, on other items."""
    found = accuracies.gain_of_average()
    for row in found[found.against != "none"].itertuples():
        what = "late over early half" if row.table == "Table 3" else "dispersion over plain training"
        yield Claim(
            claim=f"{row.model}: {what}, on other items of the ten tasks",
            source=row.table,
            published=f"{row.gain:+.2f}",
            here=f"unpaired error {row.error:.2f}; without one task {row.low:+.2f} to {row.high:+.2f}",
            rule=ITEMS,
            verdict=judge_gain(row.gain, row.error, row.flips_196, accuracies.equivalent_items(row.model)),
        )


def spreads(simulations: int, seed: int) -> Iterator[Claim]:
    """Do the averages vary as independent tasks would, without a choice of checkpoints and with one?"""
    for checkpoints, found in selection.spread_tests(simulations, seed).items():
        how = "no choice" if checkpoints == 1 else f"best of {checkpoints} checkpoints"
        yield Claim(
            claim=f"variance of the averages over that of independent tasks: {how}",
            published=number(found.observed, found.within_rounding),
            here=number(found.expected, found.interval),
            rule="p of 0.05 or more",
            verdict=Verdict(REPRODUCED if found.p >= ALPHA else NOT_REPRODUCED, f"p = {found.p:.2g}"),
        )


def settings() -> Iterator[Claim]:
    """Table 4: the best setting, and the others against plain training, the best other loss, and the default."""
    found = gains.settings()
    others = found[found.is_default == 0]
    n, said = len(others), f"{len(others)} other settings"
    for claim, source, column, sign, what in (
        ("weight 0.1 and temperature 1 are best", "Table 4", "to_default", -1, "others lie below"),
        ("robust: every other setting is above plain training", "Table 4", "to_train", 1, "above"),
        ("every other setting is above the best other loss of Table 2", OWN, "to_best_other", 1, "above"),
    ):
        margin = others[column]
        here = f"{margin.min():+.2f} to {margin.max():+.2f}"
        verdict = counted(int((sign * margin > 0.01).sum()), n, what)
        yield Claim(claim=claim, source=source, published=said, here=here, rule=BEYOND, verdict=verdict)
    yield Claim(
        claim="others differ from the default, if they have its spread",
        published="no spread printed",
        here=f"p {others.p_same.min():.2g} to {others.p_same.max():.2g}",
        rule="p below 0.05",
        verdict=counted(int((others.p_same < ALPHA).sum()), n, "below 0.05"),
    )


def shown_twice() -> Iterator[Claim]:
    """Values that two figures share."""
    for (a, b), rows in published_figures.shared_points().groupby(["figure_a", "figure_b"]):
        yield Claim(
            claim="rho and tau shown twice are the same",
            source=f"Fig. {a[3:]}b, {b[3:]}{'b' if b == 'Fig5' else 'a'}",
            published=f"{len(rows)} values",
            here=f"largest gap {rows.gap.max():.4f}",
            rule=READING,
            verdict=all_consistent(rows.outcome),
        )
    maps = published_figures.shared_heatmaps()
    yield Claim(
        claim="heat maps shown twice are the same",
        source="Fig. 2a, S2a",
        published=f"{maps.entries.sum()} entries",
        here=f"largest gap {maps['largest gap'].max():.4f}",
        rule=READING,
        verdict=all_consistent(maps.outcome),
    )


def heatmap_trends() -> Iterator[Claim]:
    """Heat maps beside the correlations printed with them."""
    for figure, rows in published_figures.heatmap_trends().groupby("figure"):
        odd = rows[rows.outcome == published_figures.APART].itertuples()
        yield Claim(
            claim="the means of a heat map give the rho and tau beside it",
            source=f"Fig. {figure[3:]}a, {figure[3:]}b",
            published=f"{len(rows)} values",
            here="; ".join(f"{r.model} {r.metric} {r.low:.2f} to {r.high:.2f}, not {r.value:.2f}" for r in odd)
            or "all",
            rule=READING,
            verdict=all_consistent(rows.outcome),
        )


def falling() -> Iterator[Claim]:
    """Lower rho and tau along the sizes, widths and checkpoints of Fig. 2b, 3b, 4 and S2."""
    found = published_figures.falls()
    for (figure, family, text), rows in found.groupby(["figure", "family", "text"], sort=False):
        n, rises = rows.n.iloc[0], ", ".join(str(r) for r in rows.rises)
        values = paper.trend(figure, "spearman", family, text).value
        yield Claim(
            claim=f"{family} on {text}: rho and tau fall along the series",
            source=f"Fig. {figure[3:]}{'b' if figure in ('Fig2', 'Fig3') else ''}",
            published=f"rho {values.iloc[0]:.2f} to {values.iloc[-1]:.2f}",
            here=f"{rises} of {n - 1} steps rise; {n} values give p of {rows.least.iloc[0]:.2g} at best",
            rule=PERMUTATION,
            verdict=judge_fall(rows.high.tolist(), all(rows.falls)),
        )
    p = max(published_figures.families_together(metric) for metric in ("spearman", "kendall"))
    yield Claim(
        claim="the four families together (Fisher)",
        published="4 families",
        here=f"p {p:.2g}",
        rule=PERMUTATION,
        verdict=judge_fall([p], bool(found[found.figure == "Fig2"].falls.all())),
    )
