"""Fig. 2 and S1: condensation over the models of a family, and the same on other texts."""

from collections.abc import Mapping, Sequence

import pandas as pd

from .. import paper
from ..condensation import Condensation
from ..paper.claims import Claim, number, numbers
from ..paper.trends import METRICS, PAPER_FAMILIES, paper_name, published_trend, size_claims
from ..paper.verdicts import NOT_TESTABLE, Verdict, grows_with_depth, within
from ..surveys import Measured, Survey

BESIDE = {family: family for family in PAPER_FAMILIES} | {"pocket": "GPT2"}  # family here -> published family
TOLERANCE = 0.1  # of rho and tau


def families(pretrained: Survey, trained: Survey, untrained: Survey) -> dict[str, list[Measured]]:
    """All families in this order, each in the order of size; those without training are named so."""
    apart = {f"{family}, untrained": members for family, members in untrained.families.items()}
    return pretrained.families | trained.families | apart


def table(groups: Mapping[str, Sequence[Measured]]) -> pd.DataFrame:
    """One row a model: entries, rho and tau with their intervals, mu of the last entry, the source of the weights."""
    rows = []
    for family, members in groups.items():
        for result, record in members:
            rho, tau = number(result.rho, result.rho_interval), number(result.tau, result.tau_interval)
            weights = record.content["results"]["model"]["source"]
            rows.append((family, result.name, len(result.mu), rho, tau, result.mu[-1], weights))
    return pd.DataFrame(rows, columns=["family", "model", "entries", "ρ", "τ", "last μ", "weights"])


def apart(first: Sequence[Condensation], second: Sequence[Condensation]) -> pd.DataFrame:
    """rho and tau of the same models on two sets of texts, and how far they are apart; one row a model."""
    rows = {}
    for a, b in zip(first, second, strict=True):
        rows[a.name] = (a.rho, b.rho, abs(a.rho - b.rho), a.tau, b.tau, abs(a.tau - b.tau))
    columns = [(symbol, which) for symbol in "ρτ" for which in ("first set", "second set", "apart")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=pd.MultiIndex.from_tuples(columns))


def claims(pretrained: Survey, trained: Survey, again: Survey, dataset: str) -> list[Claim]:
    """All claims of Fig. 2 and S1. `again` are the pretrained models on other texts of the same data set.

    A family of one size has no trend. The others are put beside the published family of the same name, the family
    trained here beside GPT-2's.
    """
    found = []
    for family, members in (pretrained.families | trained.families).items():
        if len(members) > 1:
            found += size_claims(family, _results(members), "Fig. 2b, S1", _published(family))
    found += value_claims(pretrained.condensations(), dataset)
    found.append(depth_claim([members[0].condensation for members in pretrained.families.values()]))
    return found + repeat_claims(pretrained.condensations(), again.condensations())


def _results(members: Sequence[Measured]) -> list[Condensation]:
    return [member.condensation for member in members]


def _published(family: str) -> dict[str, str]:
    if family in BESIDE:
        return published_trend("Fig2", BESIDE[family])
    return dict.fromkeys(METRICS, "not in the paper")


def value_claims(results: Sequence[Condensation], dataset: str, tolerance: float = TOLERANCE) -> list[Claim]:
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
        claims.append(
            Claim(
                claim=f"values of {symbol} on {dataset}",
                source="Fig. 2b",
                published=there or f"{len(rows)} models on this text",
                here=here or "none of them",
                rule=f"{tolerance:g}",
                verdict=verdict,
            )
        )
    return claims


def depth_claim(smallest: Sequence[Condensation]) -> Claim:
    """The claim that mu grows with depth in the smallest model of each family."""
    first = [paper.trend("Fig2", "spearman", family).iloc[0] for family in PAPER_FAMILIES]
    return Claim(
        claim="smallest pretrained model of each family: μ grows with depth (ρ > 0)",
        source="Fig. 2b",
        published="; ".join(f"{row.model} {number(row.value, error=row.error)}" for row in first),
        here="; ".join(f"{r.name} {number(r.rho, r.rho_interval)}" for r in smallest) or "none",
        rule="interval above 0",
        verdict=grows_with_depth(smallest),
    )


def repeat_claims(first: Sequence[Condensation], second: Sequence[Condensation]) -> list[Claim]:
    """Two claims of this book's own: rho and tau of the same models on two sets of texts lie within `TOLERANCE`."""
    claims = []
    for name, (symbol, _, _) in METRICS.items():
        a, b = ([getattr(r, name) for r in results] for results in (first, second))
        claims.append(
            Claim(
                claim=f"{symbol} is the same on other texts of the corpus",
                here=f"{numbers(a)} and {numbers(b)}" if a else "none",
                rule=f"{TOLERANCE:g}",
                verdict=within(b, a, TOLERANCE),
            )
        )
    return claims
