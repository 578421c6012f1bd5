"""Paper against here: the claims of a notebook beside the published values, as a table and for the scorecard."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import models, paper
from .condensation import RESAMPLES, Condensation, Interval, percentile_interval
from .files import write_atomically
from .records import Record, folder
from .verdicts import FALLS, NOT_TESTABLE, falls_with_size, grows_with_depth, within

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


def size_claims(family: str, results: Sequence[Condensation], source: str, published: dict[str, str]) -> list[Claim]:
    """Two claims for one family in the order of size: rho falls, tau falls. `published` says what the paper has."""
    claims = []
    for name, symbol in (("rho", "Spearman ρ"), ("tau", "Kendall τ")):
        values = [getattr(r, name) for r in results]
        spans = [getattr(r, f"{name}_interval") for r in results]
        here = " → ".join(number(v, s) for v, s in zip(values, spans, strict=True))
        claim = f"{family}: the larger the model, the lower {symbol}"
        claims.append(Claim(claim, source, published[name], here, FALLS, *falls_with_size(values, spans)))
    return claims


def value_claims(results: Sequence[Condensation], figure: str, dataset: str, tolerance: float = 0.1) -> list[Claim]:
    """Two claims, rho and tau: the models measured here whose values the paper shows have the same values here."""
    points = paper.table("figure_points")
    points = points[(points.figure == figure) & (points.dataset == dataset)]
    claims = []
    for name, metric, symbol in (("rho", "spearman", "ρ"), ("tau", "kendall", "τ")):
        published = points[points.metric == metric].set_index("model")["value"]
        shared = [(r, published[paper_name(r.name)]) for r in results if paper_name(r.name) in published]
        here = "; ".join(f"{r.name} {number(getattr(r, name))}" for r, _ in shared) or "none of them"
        there = "; ".join(f"{paper_name(r.name)} {value:.2f}" for r, value in shared) or f"{len(published)} models"
        verdict = within([getattr(r, name) for r, _ in shared], [value for _, value in shared], tolerance)
        claims.append(Claim(f"value of {symbol} on {dataset}", figure, there, here, f"{tolerance:g}", *verdict))
    return claims


def paper_name(model: str) -> str | None:
    """The name that the paper's figures give to a model of `families.toml`; `None` where it does not show it."""
    return models.table().get(model, {}).get("in_paper")


def published_trend(figure: str, family: str, dataset: str = "wikitext-103") -> dict[str, str]:
    """The published rho and tau of a family as text, each with the verdict that the rule of `FALLS` gives them."""
    found = {}
    for name, metric in (("rho", "spearman"), ("tau", "kendall")):
        table = paper.trend(figure, metric, family, dataset)
        spans = [Interval(v - e, v + e) for v, e in zip(table.value, table.error, strict=True)]
        verdict = falls_with_size(list(table.value), spans).verdict
        found[name] = " → ".join(f"{v:.2f}" for v in table.value) + f" (the same rule: {verdict})"
    return found


def depth_claim(results: Sequence[Condensation], source: str) -> list[Claim]:
    """One claim on trained models of at most 2 billion parameters, all that is given: mu grows with depth."""
    here = "; ".join(f"{r.name} {number(r.rho, r.rho_interval)}" for r in results) or "none"
    smallest = {family: paper.trend("Fig2", "spearman", family).value[0] for family in PAPER_FAMILIES}
    there = "; ".join(f"smallest {family} {value:.2f}" for family, value in smallest.items())
    verdict = grows_with_depth(results)
    return [
        Claim("small pretrained models: μ grows with depth (ρ > 0)", source, there, here, "interval above 0", *verdict)
    ]


def steps(families: dict[str, Sequence[Condensation]], spans: dict[str, int | None]) -> pd.DataFrame:
    """How many steps from one size to the next fall, rise, or stay within the intervals: for rho, tau and simple means.

    `spans` gives the simple metrics as in `metrics.mean_of_last`. One row a metric, summed over the families.
    """
    metrics_of = {"ρ": lambda r: (r.rho, r.rho_interval), "τ": lambda r: (r.tau, r.tau_interval)}
    metrics_of |= {label: lambda r, k=k: r.mean_of_last(k) for label, k in spans.items()}
    rows = {}
    for label, of in metrics_of.items():
        counts = dict.fromkeys(("falls", "rises", "within the uncertainty"), 0)
        for members in families.values():
            for (_, first), (_, second) in pairwise(of(r) for r in members):
                apart = "falls" if second[1] < first[0] else "rises" if second[0] > first[1] else None
                counts[apart or "within the uncertainty"] += 1
        rows[label] = counts
    return pd.DataFrame(rows).T


def difference(per_text: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, Interval]:
    """Mean of a paired difference over the texts, and its 95 % bootstrap interval (NaN with fewer than two texts)."""
    values = np.asarray(per_text, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return float(values.mean()), percentile_interval(values[draws].mean(1), len(values))


def numbers(values: Sequence[float]) -> str:
    """Several numbers as the tables show them: `0.385, -0.590`."""
    return ", ".join(f"{value:.3f}" for value in values)


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
    frame = pd.DataFrame([claim._asdict() for claim in claims])
    slug = {NOT_TESTABLE: "verdict-not-testable"}
    frame["verdict"] = [
        f'<span class="verdict {slug.get(v, "verdict-" + v.replace(" ", "-"))}">{v}</span><br><small>{why}</small>'
        for v, why in zip(frame.pop("verdict"), frame.pop("why"), strict=True)
    ]
    return frame.style.hide(axis="index")
