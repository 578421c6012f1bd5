"""Fig. 2: condensation over the models of a family."""

from collections.abc import Sequence

from .. import paper
from ..condensation import Condensation
from ..paper.claims import Claim, number, numbers
from ..paper.trends import METRICS, PAPER_FAMILIES, paper_name
from ..paper.verdicts import NOT_TESTABLE, Verdict, grows_with_depth, within


def value_claims(results: Sequence[Condensation], dataset: str, tolerance: float = 0.1) -> list[Claim]:
    """Two claims, rho and tau: the models of Fig. 2b have its values here, on the same data set."""
    points = paper.table("figure_points")
    points = points[(points.figure == "Fig2") & (points.dataset == dataset)]
    claims = []
    for name, (symbol, metric, _) in METRICS.items():
        rows = points[points.metric == metric].set_index("model")
        shared = [r for r in results if paper_name(r.name) in rows.index]
        published = [rows.loc[paper_name(r.name)] for r in shared]
        here = "; ".join(f"{r.name} {number(getattr(r, name), getattr(r, f'{name}_interval'))}" for r in shared)
        there = "; ".join(f"{row.name} {number(row.value, error=row.error)}" for row in published)
        verdict = within([getattr(r, name) for r in shared], [row.value for row in published], tolerance)
        if rows.empty:
            verdict = Verdict(NOT_TESTABLE, "the paper gives no values for this text")
        claim = f"values of {symbol} on {dataset}"
        there = there or f"{len(rows)} models on this text"
        claims.append(
            Claim(
                claim=claim,
                source="Fig. 2b",
                published=there,
                here=here or "none of them",
                rule=f"{tolerance:g}",
                verdict=verdict,
            )
        )
    return claims


def depth_claim(families: dict[str, Sequence[Condensation]], source: str) -> list[Claim]:
    """One claim on the smallest model of each family that was measured: mu grows with depth."""
    smallest = [members[0] for members in families.values()]
    here = "; ".join(f"{r.name} {number(r.rho, r.rho_interval)}" for r in smallest) or "none"
    first = {family: paper.trend("Fig2", "spearman", family).iloc[0] for family in PAPER_FAMILIES}
    there = "; ".join(f"{row.model} {number(row.value, error=row.error)}" for row in first.values())
    claim = "smallest pretrained model of each family: μ grows with depth (ρ > 0)"
    return [
        Claim(
            claim=claim,
            source=source,
            published=there,
            here=here,
            rule="interval above 0",
            verdict=grows_with_depth(smallest),
        )
    ]


def repeat_claims(first: Sequence[Condensation], second: Sequence[Condensation], tolerance: float = 0.1) -> list[Claim]:
    """Two claims of this book's own: rho and tau of the same models on two sets of texts lie within the tolerance."""
    claims = []
    for name, (symbol, _, _) in METRICS.items():
        a, b = ([getattr(r, name) for r in results] for results in (first, second))
        claim = f"{symbol} is the same on other texts of the corpus"
        here = f"{numbers(a)} and {numbers(b)}" if a else "none"
        claims.append(
            Claim(
                claim=claim,
                here=here,
                rule=f"{tolerance:g}",
                verdict=within(b, a, tolerance),
            )
        )
    return claims
