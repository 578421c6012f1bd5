"""Claims of the audit on what the printed cells can come from: three runs, one, or two."""

from collections.abc import Iterator

import pandas as pd

from ...paper import accuracies
from ...paper.claims import BOOK, IN_PRINT, Claim
from ...paper.rounding import WITHIN_ROUNDING, consistent
from ...paper.verdicts import exact, rejected
from ...stats import ALPHA
from . import runs


def claims() -> Iterator[Claim]:
    """In the order of the page."""
    for part in (three_runs, one_run, two_runs):
        yield from part()


def three_runs() -> Iterator[Claim]:
    """Three runs per printed cell, by base model; rows and spreads that three runs cannot have."""
    of = len(runs.GRANULAR)
    for (table, model), rows in runs.runs().groupby(level=["table", "model"], sort=False):
        yield Claim(
            claim=f"{model}: cells are mean and spread of three runs on {accuracies.limit(model)} items",
            kind=IN_PRINT,
            source=table,
            published="3 runs",
            here="; ".join(f"{name}: {int(rows[name].sum())}" for name in ("mean of 2", "mean of 3")),
            rule=WITHIN_ROUNDING,
            verdict=exact(int(rows["mean of 3"].sum()), of * len(rows), "cells"),
            repeats=f"{model}: values are means of three runs, not of one",
        )
    without = runs.without_spread()
    odd = without[~without.possible].itertuples()
    yield Claim(
        claim="a spread of 0.0 is printed with a value that one run can have",
        kind=IN_PRINT,
        source="Table 2",
        published=f"{len(without)} cells with a spread of 0.0",
        here="; ".join(f"{r.Index[1]} {r.Index[2]} {r.Index[3]}: {r.mean:.1f} cannot be" for r in odd) or "all can be",
        rule="up to 16 runs that print 0.0 are equal, on the items of the released scripts",
        verdict=exact(without.possible.sum(), len(without), "cells"),
    )


def one_run() -> Iterator[Claim]:
    """Are values that should be means of three runs those of one? Rows without a spread, which are."""
    for row in runs.grid_tests().itertuples():
        yield Claim(
            claim=f"{row.Index[1]}: values are means of three runs, not of one",
            kind=IN_PRINT,
            source=row.Index[0],
            published="3 runs",
            here=f"{row._2} of {row.cells} values are on the grid of one run; {row.expected:.0f} expected",
            rule="rejected where so many come by chance with Holm's p below 0.05, over the base models",
            verdict=rejected(row.holm, "values are means of three runs"),
            power=f"{row.cells} cells, each with the chance that its spread leaves",
        )
    found = runs.labels_of_one_run()
    marked = found[found.label != "n.s."]
    yield Claim(
        claim="labels below 0.05 of rows wholly on the grid of one run stay so if each value is that of one run",
        published=f"{len(marked)} labels",
        here="p {:.2g} to {:.2g} becomes {:.2g} to {:.2g}".format(*_range(marked.three), *_range(marked.one)),
        rule="Student's p of two single values beside the printed spreads below 0.05",
        verdict=exact((marked.one < ALPHA).sum(), len(marked), "labels below 0.05"),
    )
    single, of = runs.single_runs(), len(runs.GRANULAR)
    odd = single[single.cells < of]
    yield Claim(
        claim="rows without a spread are single runs on as many items as the released scripts take",
        kind=IN_PRINT,
        source="Table 2, Table 5",
        here="; ".join(f"{row[1]} untrained: {int(n)} of {of} cells" for row, n in odd.cells.items()) or "all",
        rule=WITHIN_ROUNDING,
        verdict=exact(len(single) - len(odd), len(single), "rows"),
    )


def _range(values: pd.Series) -> tuple[float, float]:
    return values.min(), values.max()


def two_runs() -> Iterator[Claim]:
    """The labels if the rows rest on two runs."""
    two = runs.labels_of_two_runs()
    yield Claim(
        claim="labels of rows whose cells allow two runs and not three, with two",
        source=BOOK,
        published=f"{len(two)} labels",
        here=f"p {two.p.min():.2g} to {two.p.max():.2g}",
        rule="label for all p within rounding",
        verdict=consistent(two.outcome, "labels"),
    )
    found = runs.labels_with_two_runs()
    marked = found[found.label != "n.s."]
    yield Claim(
        claim="labels of trained rows below 0.05 stay so if every row rests on two runs",
        published=f"{len(marked)} labels",
        here=f"p {marked.p.min():.2g} to {marked.p.max():.2g}",
        rule="Student's p below 0.05, at its largest within rounding",
        verdict=exact((marked.high < ALPHA).sum(), len(marked), "labels below 0.05"),
    )
