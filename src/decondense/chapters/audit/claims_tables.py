"""Claims of the audit on the printed tables: averages, ranks, bold entries, labels, hours, settings."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...paper import accuracies
from ...paper.accuracies import MID_TRAINED, TASKS
from ...paper.claims import BOOK, IN_PRINT, OWN, Claim
from ...paper.rounding import HALF, WITHIN_ROUNDING, consistent
from ...paper.verdicts import exact
from ...stats import ALPHA
from . import arithmetic, tables


def claims() -> Iterator[Claim]:
    """In the order of the page."""
    for part in (averages, ranks, best, significance, hours, batches):
        yield from part()


def averages() -> Iterator[Claim]:
    """Averages of Tables 2, 3 and 5."""
    for table, rows in tables.averages().groupby(level="table"):
        yield Claim(
            claim="each average is the mean of its ten tasks",
            kind=IN_PRINT,
            source=table,
            published=f"{len(rows)} averages",
            here=f"tasks and average apart by at most {(rows.printed - (rows.low + rows.high) / 2).abs().max():.2f}",
            rule=WITHIN_ROUNDING,
            verdict=consistent(rows.outcome, "averages"),
        )


def ranks() -> Iterator[Claim]:
    """Mean ranks and bold entries of Table 2."""
    found = tables.ranks()
    fits = {rule: int(np.isclose(found[rule], found.printed, atol=HALF).sum()) for rule in tables.TIES}
    best = max(fits, key=fits.get)
    yield Claim(
        claim="the ranks are mean places over the ten tasks",
        kind=IN_PRINT,
        source="Table 2",
        published=f"{len(found)} ranks",
        here="; ".join(f"{rule} {n}" for rule, n in fits.items()),
        rule="one rule for ties gives all",
        verdict=exact(fits[best], len(found), f"ranks, with ties at their {best} place"),
    )
    columns, odd = len(MID_TRAINED) * (len(TASKS) + 2), tables.bold()
    yield Claim(
        claim="bold marks the best row",
        kind=IN_PRINT,
        source="Table 2",
        published=f"{columns} columns",
        here="; ".join(f"{row.model} {row.benchmark}: {row.best} is higher" for row in odd.itertuples()) or "all",
        rule="every column",
        verdict=exact(columns - len(odd), columns, "columns"),
    )


def best() -> Iterator[Claim]:
    """The row of dispersion among the eight of each base model."""
    for column, half in (("average", 0.005), ("rank", HALF)):
        values = accuracies.mid_trained()[column] * (-1 if column == "rank" else 1)
        others = values.drop("dispersion", level="condition").groupby(level="model").max()
        margin = values.xs("dispersion", level="condition") - others
        yield Claim(
            claim=f"dispersion has the best {column}",
            kind=IN_PRINT,
            source="Table 2",
            published="stated",
            here="; ".join(f"{model} {value:+.2f}" for model, value in margin.items()),
            rule="ahead beyond rounding",
            verdict=exact((margin > 2 * half).sum(), len(margin), "base models"),
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
    yield _labels(claim, BOOK, found[found.reading == "one-sample"])
    welch = (found.reading == "welch") & second & ~untrained
    claim = "labels of trained rows: Welch's t-test, unequal variances"
    yield _labels(claim, BOOK, found[welch])
    claim = "labels below 0.05 stay so under Holm within a base model (spread between runs alone)"
    yield _stay(claim, "Table 2", found[student & second], "holm_high")
    claim = "labels of trained rows below 0.05 stay so by Welch's test under Holm"
    yield _stay(claim, BOOK, found[welch], "holm_high")


def _labels(claim: str, source: str, rows: pd.DataFrame) -> Claim:
    return Claim(
        claim=claim,
        kind=OWN if source == BOOK else IN_PRINT,
        source=source,
        published=f"{len(rows)} labels",
        here=f"p {rows.p.min():.2g} to {rows.p.max():.2g}",
        rule="label for all p within rounding",
        verdict=consistent(rows.outcome, "labels"),
    )


def _stay(claim: str, source: str, rows: pd.DataFrame, column: str) -> Claim:
    marked = rows[rows.label != "n.s."]
    return Claim(
        claim=claim,
        kind=OWN if source == BOOK else IN_PRINT,
        source=source,
        published=f"{len(marked)} labels",
        here=f"p {marked[column].min():.2g} to {marked[column].max():.2g}",
        rule="p below 0.05, at its largest within rounding",
        verdict=exact((marked[column] < ALPHA).sum(), len(marked), "labels below 0.05"),
    )


def hours() -> Iterator[Claim]:
    """Hours of Table 2 and the ratios printed beside them."""
    found = arithmetic.time_ratios()
    dispersion = found.ratio.xs("dispersion", level="condition")
    yield Claim(
        claim="the time ratios are hours over those of plain training",
        kind=IN_PRINT,
        source="Table 2",
        published=f"{len(found)} ratios",
        here=f"dispersion costs {_percent(dispersion - 1)} more time",
        rule=WITHIN_ROUNDING,
        verdict=consistent(found.outcome, "ratios"),
    )


def _percent(shares: pd.Series) -> str:
    return f"{shares.min():.1%} to {shares.max():.1%}"


def batches() -> Iterator[Claim]:
    """Table S1: batches from their factors, steps from the tokens."""
    found = arithmetic.batches()
    right = [*(found.sequences == found["of its factors"]), *(found.tokens == found["by context"])]
    yield Claim(
        claim="sequences and tokens of a batch are the products of their factors",
        kind=IN_PRINT,
        source="Table S1",
        published=f"{len(right)} products",
        here=f"{sum(right)} equal",
        rule="equal",
        verdict=exact(sum(right), len(right), "products"),
    )
    steps = np.ceil(found.steps[found.index.str.endswith("midtraining")])
    yield Claim(
        claim="the tokens of mid-training over those of a batch are the steps of Fig. 7",
        kind=IN_PRINT,
        source="Table S1, Fig. 7",
        published=f"{arithmetic.LAST_STEP} steps",
        here="; ".join(f"{name.removesuffix('_midtraining')} {n:g}" for name, n in steps.items()),
        rule="equal, the last batch counted as a whole one",
        verdict=exact((steps == arithmetic.LAST_STEP).sum(), len(steps), "base models"),
    )
