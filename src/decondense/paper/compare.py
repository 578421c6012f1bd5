"""Paper against here: the claims of a notebook beside the published values, as a table and for the scorecard."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import metrics, models, paper
from ..base.files import write_atomically
from ..condensation import RESAMPLES, Condensation, Interval, percentile_interval
from ..records import Record, folder
from .claims_table import COLUMNS, cells
from .run_verdicts import agrees
from .verdicts import FALLS, NOT_TESTABLE, Verdict, falls_with_size, grows_with_depth, within

PAPER_FAMILIES = ("GPT2", "Qwen2.5", "Bloom", "Qwen3")  # of Fig. 2b


class Claim(NamedTuple):
    """One row of *paper against here*."""

    claim: str
    source: str  # figure or table of the paper
    published: str  # with its error
    here: str  # with its uncertainty
    tolerance: str  # what the rule asks
    verdict: str
    why: str


METRICS = {  # a number of a Condensation -> its symbol, its name in the paper's CSV, the function of mu that gives it
    "rho": ("Spearman ρ", "spearman", metrics.spearman),
    "tau": ("Kendall τ", "kendall", metrics.kendall),
}


def size_claims(family: str, results: Sequence[Condensation], source: str, published: dict[str, str]) -> list[Claim]:
    """Two claims for one family in the order of size: rho falls, tau falls. `published` says what the paper has."""
    claims = []
    for name, (symbol, _, statistic) in METRICS.items():
        here = chain([getattr(r, name) for r in results], [getattr(r, f"{name}_interval") for r in results])
        claim = f"{family}: the larger the model, the lower {symbol}"
        verdict = falls_with_size(*paired_differences(results, statistic))
        claims.append(Claim(claim, source, published[name], here, FALLS, *verdict))
    return claims


def paired_differences(
    results: Sequence[Condensation], statistic: Callable[[np.ndarray], np.ndarray]
) -> tuple[Interval, list[Interval]]:
    """95 % bootstrap intervals of (largest - smallest) and of each step between models in the order of size.

    The models were measured on the same texts, so a difference is taken resample by resample, each with the same texts.
    """
    texts = min(len(r.mu_per_text) for r in results)
    values = [statistic(r.resampled_mu) for r in results]
    steps = [percentile_interval(later - earlier, texts) for earlier, later in pairwise(values)]
    return percentile_interval(values[-1] - values[0], texts), steps


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
        claims.append(Claim(claim, "Fig. 2b", there, here or "none of them", f"{tolerance:g}", *verdict))
    return claims


def paper_name(model: str) -> str | None:
    """The name that the paper's figures give to a model of `families.toml`; `None` where it does not show it."""
    return models.table().get(model, {}).get("in_paper")


def published_trend(figure: str, family: str, dataset: str = "wikitext-103") -> dict[str, str]:
    """The published rho and tau of a family as text, with the verdict that the rule `FALLS` gives them.

    Published values have no interval over texts, so the error of reading the figure stands in for it.
    """
    found = {}
    for name, (_, metric, _) in METRICS.items():
        table = paper.trend(figure, metric, family, dataset)
        low, high = (table.value - table.error).to_numpy(), (table.value + table.error).to_numpy()
        steps = [Interval(low[i + 1] - high[i], high[i + 1] - low[i]) for i in range(len(table) - 1)]
        verdict = falls_with_size(Interval(low[-1] - high[0], high[-1] - low[0]), steps).verdict
        values = " → ".join(f"{v:.2f}" for v in table.value)
        found[name] = f"{family} on {dataset}: {values}, each ± {table.error.max():g} (by this rule: {verdict})"
    return found


def depth_claim(families: dict[str, Sequence[Condensation]], source: str) -> list[Claim]:
    """One claim on the smallest model of each family that was measured: mu grows with depth."""
    smallest = [members[0] for members in families.values()]
    here = "; ".join(f"{r.name} {number(r.rho, r.rho_interval)}" for r in smallest) or "none"
    first = {family: paper.trend("Fig2", "spearman", family).iloc[0] for family in PAPER_FAMILIES}
    there = "; ".join(f"{row.model} {number(row.value, error=row.error)}" for row in first.values())
    claim = "smallest pretrained model of each family: μ grows with depth (ρ > 0)"
    return [Claim(claim, source, there, here, "interval above 0", *grows_with_depth(smallest))]


def repeat_claims(first: Sequence[Condensation], second: Sequence[Condensation], tolerance: float = 0.1) -> list[Claim]:
    """Two claims of this book's own: rho and tau of the same models on two sets of texts lie within the tolerance."""
    claims = []
    for name, (symbol, _, _) in METRICS.items():
        a, b = ([getattr(r, name) for r in results] for results in (first, second))
        claim = f"{symbol} is the same on other texts of the corpus"
        here = f"{numbers(a)} and {numbers(b)}" if a else "none"
        claims.append(Claim(claim, "this book", "not stated", here, f"{tolerance:g}", *within(b, a, tolerance)))
    return claims


def steps(families: dict[str, Sequence[Condensation]], spans: dict[str, int | None]) -> pd.DataFrame:
    """How many steps from one size to the next fall, rise, or stay within the uncertainty: rho, tau, simple means.

    `spans` gives the simple metrics as in `metrics.mean_of_last`. One row a metric, summed over the families; a family
    whose smallest model has no more entries than a span is left out there (`fits`).
    """
    statistics = {symbol: statistic for symbol, _, statistic in METRICS.values()}
    statistics |= {label: partial(metrics.mean_of_last, entries=entries) for label, entries in spans.items()}
    rows = {}
    for label, statistic in statistics.items():
        shown = [members for members in families.values() if fits(members, spans.get(label))]
        found = [step for members in shown for step in paired_differences(members, statistic)[1]]
        falls, rises = sum(high < 0 for _, high in found), sum(low > 0 for low, _ in found)
        rows[label] = {"falls": falls, "rises": rises, "within the uncertainty": len(found) - falls - rises}
    return pd.DataFrame(rows).T


def fits(results: Sequence[Condensation], entries: int | None) -> bool:
    """Whether the last `entries` entries leave out the embedding output in every model; always for `None` (half)."""
    return entries is None or all(entries < len(r.mu) for r in results)


def difference(per_text: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, Interval]:
    """Mean of a paired difference over the texts, and its 95 % bootstrap interval (NaN with fewer than two texts)."""
    values = np.asarray(per_text, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return float(values.mean()), percentile_interval(values[draws].mean(1), len(values))


def beside_record(rows: Sequence[tuple[str, float, float, float]]) -> pd.DataFrame:
    """A check run as a table: quantity, its value in the record and now, the tolerance, and whether they agree.

    NaN agrees with nothing.
    """
    table = pd.DataFrame(rows, columns=["quantity", "record", "now", "tolerance"])
    return table.assign(agrees=(table.record - table.now).abs() <= table.tolerance)


def check_claim(check: pd.DataFrame) -> Claim:
    """The claim on check runs (tables of `beside_record`, one below the other): every quantity agrees."""
    claim, here = "every check run agrees with its record", f"{check.agrees.sum()} of {len(check)}"
    return Claim(claim, "this book", "not stated", here, "all", *agrees(check.quantity.tolist(), check.agrees.tolist()))


def chain(values: Sequence[float], intervals: Sequence[Interval]) -> str:
    """Numbers with their intervals in the order of size: `0.60 [0.55, 0.61] → 0.30 [0.28, 0.35]`."""
    return " → ".join(number(v, i) for v, i in zip(values, intervals, strict=True))


def numbers(values: Sequence[float]) -> str:
    """Several numbers as the tables show them: `0.385, -0.590`."""
    return ", ".join(f"{value:.3f}" for value in values)


def signed(differences: pd.Series) -> str:
    """Differences by name as the tables show them: `dispersion +0.66; l2_repel +0.47`."""
    return "; ".join(f"{name} {value:+.2f}" for name, value in differences.items())


def number(value: float, interval: Interval | None = None, error: float | None = None) -> str:
    """A number as the tables show it: `0.39 [0.31, 0.44]` with an interval, `0.385 ± 0.002` with an error."""
    if interval is not None and np.isfinite(interval).all():
        return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
    return f"{value:.3f} ± {error:g}" if error is not None else f"{value:.2f}"


def save(notebook: str, profile: str, claims: Sequence[Claim], records: Sequence[Record] = ()) -> Path:
    """Write the verdicts of a notebook (`02_fig2_model_families`) for the scorecard, with the records they rest on."""
    content = {
        "notebook": notebook,
        "profile": profile,
        "claims": [claim._asdict() for claim in claims],
        "records": sorted({record.path.name for record in records}),
    }
    path = folder() / f"verdicts-{notebook.split('_')[1]}.json"
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


def show(claims: Sequence[Claim]):
    """The claims as a styled table for a notebook: one row a claim, the verdict as a badge."""
    frame = pd.DataFrame([cells(claim._asdict()) for claim in claims], columns=list(COLUMNS))
    return frame.style.hide(axis="index").set_table_attributes('class="claims"')
