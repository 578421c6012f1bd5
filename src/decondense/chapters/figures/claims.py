"""The claims on the printed figures: numbers of parameters, values shown twice, heat maps, falls along a series."""

from collections.abc import Iterator

from ... import paper
from ...paper.claims import IN_PRINT, OWN, Claim, judged
from ...paper.rounding import CONSISTENT, WITHIN_ROUNDING, consistent
from ...paper.verdicts import CANNOT_TELL, REPRODUCED, Verdict, exact, not_testable
from ...stats import ALPHA
from . import published
from .parameters import parameters as counted

READING = "errors of reading"
PERMUTATION = "exact permutation test of each; the larger p of rho and tau, Holm over the series of the figures"


ONE_RUN = "checkpoints of one run follow on each other, so their order is no permutation: one run is one unit"


def claims() -> list[Claim]:
    """All claims of the page in its order. The series that fall are corrected for one another (`published.falls`)."""
    parts = (parameters, shown_twice, heatmap_trends, falling)
    return judged([claim for part in parts for claim in part()])


def parameters() -> Iterator[Claim]:
    """Numbers of parameters on Fig. 2, 3 and S2."""
    found = counted()
    widths = found.figure == "Fig. 3"
    for claim, source, rows in (
        ("the numbers of parameters are those of the shapes", "Fig. 3", found[widths]),
        ("the numbers of parameters of the GPT2 family are those of the models", "Fig. 2, S2", found[~widths]),
    ):
        odd = rows[rows.outcome != CONSISTENT].itertuples()
        yield Claim(
            claim=claim,
            kind=IN_PRINT,
            source=source,
            published="; ".join(f"{row.model} {row.printed} M" for row in rows.itertuples()),
            here="; ".join(f"{row.figure} {row.model}: {row.count:.1f} M" for row in odd)
            or ", ".join(f"{count:.1f}" for count in rows["count"]),
            rule=WITHIN_ROUNDING,
            verdict=consistent(rows.outcome, "labels"),
        )


def shown_twice() -> Iterator[Claim]:
    """Values that two figures share."""
    for (a, b), rows in published.shared_points().groupby(["figure_a", "figure_b"]):
        yield Claim(
            claim="rho and tau shown twice are the same",
            kind=IN_PRINT,
            source=f"Fig. {a[3:]}b, {b[3:]}{'b' if b == 'Fig5' else 'a'}",
            published=f"{len(rows)} values",
            here=f"largest gap {rows.gap.max():.4f}",
            rule=READING,
            verdict=consistent(rows.outcome, "values"),
        )
    maps, modes = published.shared_heatmaps(), published.shared_modes()
    yield Claim(
        claim="heat maps shown twice have the same means",
        kind=IN_PRINT,
        source="Fig. 2a, S2a",
        published=f"{maps.entries.sum()} entries",
        here=f"largest gap {maps['largest gap'].max():.4f}",
        rule=READING,
        verdict=consistent(maps.outcome, "maps"),
    )
    yield Claim(
        claim="heat maps shown twice have the same modes",
        kind=IN_PRINT,
        source="Fig. 2a, S2a",
        published=f"{modes.entries.sum()} entries",
        here=f"largest gap {modes['largest gap'].max():.4f}",
        rule=READING,
        verdict=exact(modes.agreeing.sum(), int(modes.entries.sum()), "entries"),
        repeats="heat maps shown twice have the same means",
    )


def heatmap_trends() -> Iterator[Claim]:
    """Heat maps beside the correlations printed with them."""
    for figure, rows in published.heatmap_trends().groupby("figure"):
        odd = rows[rows.outcome == published.APART].itertuples()
        yield Claim(
            claim="the means of a heat map give the rho and tau beside it",
            kind=IN_PRINT,
            source=f"Fig. {figure[3:]}a, {figure[3:]}b",
            published=f"{len(rows)} values",
            here="; ".join(f"{r.model} {r.metric} {r.low:.2f} to {r.high:.2f}, not {r.value:.2f}" for r in odd)
            or "all",
            rule=READING,
            verdict=consistent(rows.outcome, "values"),
        )


def falling() -> Iterator[Claim]:
    """Lower rho and tau along the sizes, widths and checkpoints of Fig. 2b, 3b, 4 and S2: a claim a series."""
    found = published.falls()
    for series, rows in found.groupby(["figure", "family", "text"], sort=False):
        yield _falls(*series, rows, found)
    p = max(published.families_together(metric) for metric in ("spearman", "kendall"))
    yield Claim(
        claim="the four families together (Fisher): rho and tau fall",
        kind=OWN,
        published="4 families",
        here=f"p {p:.2g}",
        rule="the families taken as independent; the larger p of rho and tau",
        verdict=beyond_chance(p),
        power="the values of the paper: there are no others",
    )


def beyond_chance(p: float) -> Verdict:
    """An order that the paper states: reproduced where a random order is so unlikely, else cannot tell."""
    return Verdict(REPRODUCED if p < ALPHA else CANNOT_TELL, f"p = {p:.2g} if the order were random")


def _falls(figure: str, family: str, text: str, rows, found) -> Claim:
    n, rises = int(rows.n.iloc[0]), ", ".join(str(r) for r in rows.rises)
    values = paper.trend(figure, "spearman", family, text).value
    again, first = (figure, family, text) == published.AGAIN, rows
    if again:
        first = found[(found.figure == "Fig2") & (found.family == family)]
    least = rows.least.iloc[0]
    return Claim(
        claim=f"{family} on {text}: rho and tau fall along the series",
        kind=IN_PRINT,
        source=f"Fig. {figure[3:]}{'b' if figure in ('Fig2', 'Fig3') else ''}",
        published=f"rho {values.iloc[0]:.2f} to {values.iloc[-1]:.2f}",
        here=f"{rises} of {n - 1} steps rise; p {rows.high.max():.2g}, Holm's {first.holm.iloc[0]:.2g}",
        rule=PERMUTATION,
        verdict=not_testable(ONE_RUN) if figure == "Fig4" else beyond_chance(float(first.holm.iloc[0])),
        power=f"{n} values give p of {least:.2g} at best, before Holm's correction",
        repeats=f"{family} on {text}: rho and tau fall along the series (Fig. 2b)" if again else "",
    )
