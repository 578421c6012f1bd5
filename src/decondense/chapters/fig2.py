"""Fig. 2 and S1: condensation over the models of a family, and the same on other texts."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import models, paper, stats
from ..condensation import Condensation
from ..pairing import estimated
from ..paper import family, gpu
from ..paper.claims import Claim, check_claim, judged, number
from ..paper.trends import METRICS, PAPER_FAMILIES, REPEATS, paper_name, published_fall, published_text, size_claims
from ..paper.verdicts import effect, no_change, not_testable, within
from ..plots import GREY, STYLE, WIDTH, closed, colours, label_ends, legend_below
from ..runs import tables
from ..runs.run import Run
from ..surveys import Measured, Survey

DATASET = "wikitext-103"  # of the published values
ALIKE = {"Qwen2.5-Coder": ("Qwen2.5", ("Qwen2.5-0.5B", "Qwen2.5-1.5B"))}  # here -> published, and those of its sizes
MARGIN = (
    0.1  # of rho and tau: far below what the paper's families fall by (0.4 to 1.4), and above the errors of reading
)


# --- tables -----------------------------------------------------------------------------------------------------------


def families(pretrained: Survey, untrained: Survey) -> dict[str, list[Measured]]:
    """All families in this order, each in the order of size; those without training are named so."""
    apart = {f"{name}, untrained": members for name, members in untrained.families.items()}
    return pretrained.families | apart


def table(groups: Mapping[str, Sequence[Measured]]) -> pd.DataFrame:
    """One row per model: entries, rho and tau with their intervals, mu of the last entry, the source of the weights."""
    rows = []
    for name, members in groups.items():
        for result, record in members:
            rho, tau = number(result.rho, result.rho_interval), number(result.tau, result.tau_interval)
            weights = record.content["results"]["model"]["source"]
            rows.append((name, result.name, len(result.mu), rho, tau, result.mu[-1], weights))
    return pd.DataFrame(rows, columns=["family", "model", "entries", "ρ", "τ", "last μ", "weights"])


def trained_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per width: validation loss (nats a token) and the numbers of `family`, mean and spread over the seeds."""
    text = family.texts(runs)[0]
    quantities = {"validation loss": lambda run: run.validation_loss}
    for name, statistic in family.STATISTICS.items():
        quantities[name] = lambda run, statistic=statistic: float(statistic(family.look(run, text).mu))
    return tables.summary(runs, quantities)


def apart(first: Sequence[Condensation], second: Sequence[Condensation]) -> pd.DataFrame:
    """rho and tau of the same models on two sets of texts, and how far they are apart; one row per model."""
    rows = {}
    for a, b in zip(first, second, strict=True):
        rows[a.name] = (a.rho, b.rho, abs(a.rho - b.rho), a.tau, b.tau, abs(a.tau - b.tau))
    columns = [(symbol, which) for symbol in "ρτ" for which in ("first set", "second set", "apart")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=pd.MultiIndex.from_tuples(columns))


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(
    runs: Sequence[Run], check: pd.DataFrame, pretrained: Survey, again: Survey, dataset: str,
    systematic: Mapping[str, float] | None = None, larger: Sequence[Run] = (),
) -> list[Claim]:  # fmt: skip
    """All claims of Fig. 2 and S1.

    runs, check
        Models trained here (`paper.family`), and the check run of one of them.
    again
        The pretrained models on other texts of the same data set.
    systematic
        For "rho" and "tau", how far the precision of the weights may have moved the difference of two models of
        `ALIKE`, whose files differ in it.
    larger
        The runs of the campaign's `family` (`paper.gpu.runs`), which decide where they are larger.
    """
    found = [_decided(claim, runs, larger) for claim in trained_claims(runs)]
    for name, members in pretrained.families.items():
        if len(members) > 1:
            published, alike = ALIKE.get(name, (name if name in PAPER_FAMILIES else "GPT2", None))
            results = [member.condensation for member in members]
            moved = systematic if name in ALIKE else None
            found += size_claims(name, results, "Fig. 2b, S1", published, alike=alike, systematic=moved)
    found += missing_claims([name for name, members in pretrained.families.items() if len(members) > 1])
    found += value_claims(pretrained.condensations(), dataset)
    found += [depth_claim(pretrained), *repeat_claims(pretrained.condensations(), again.condensations())]
    return judged([*found, check_claim(check)])


def trained_claims(runs: Sequence[Run]) -> list[Claim]:
    """rho, tau and late-half mu fall with the size of the models trained here; Fig. S3 counts the last one."""
    sources = {symbol: "Fig. 2b, S1" for symbol, _, _ in METRICS.values()}
    return [
        family.size_claim(
            runs, name, statistic, sources.get(name, "Fig. 2a"), repeats="" if name in sources else "Fig. S3: last half"
        )
        for name, statistic in family.STATISTICS.items()
    ]


def _decided(claim: Claim, runs: Sequence[Run], larger: Sequence[Run]) -> Claim:
    of = [quantity for quantity in (gpu.LATE, gpu.RHO) if claim.claim.endswith(quantity)]
    return gpu.decided(claim, "family", of[0], runs, larger) if of else claim


def missing_claims(measured: Sequence[str]) -> list[Claim]:
    """A row for each of the paper's families of which no two sizes were measured."""
    why = dict.fromkeys(PAPER_FAMILIES, "two of its sizes are needed: a profile with the paper's models measures them")
    why["Qwen1"] = "Qwen1 comes with code of its own on the hub, which is not run here; nor are its values in the CSV"
    return [
        Claim(
            claim=f"{name}: the larger the model, the lower Spearman ρ and Kendall τ",
            source="Fig. S1" if name == "Qwen1" else "Fig. 2b, S1",
            published="a fall" if name == "Qwen1" else published_text("Fig. 2b", "rho", name),
            here="not measured",
            verdict=not_testable(reason),
        )
        for name, reason in why.items()
        if name not in measured
    ]


def value_claims(results: Sequence[Condensation], dataset: str) -> list[Claim]:
    """Two claims, rho and tau: the models of Fig. 2b have its values here, on the same data set."""
    points = paper.table("figure_points")
    points = points[(points.figure == "Fig2") & (points.dataset == DATASET)]
    claims = []
    for name, (symbol, metric, _) in METRICS.items():
        rows = points[points.metric == metric].set_index("model")
        shared = [r for r in results if paper_name(r.name) in rows.index] if dataset == DATASET else []
        there = [rows.loc[paper_name(r.name)] for r in shared]
        here = "; ".join(f"{r.name} {number(getattr(r, name), getattr(r, f'{name}_interval'))}" for r in shared)
        missing = not_testable(f"it needs the paper's models on {DATASET}")
        agree = within([getattr(r, name) for r in shared], [row.value for row in there], MARGIN) if shared else missing
        claims.append(
            Claim(
                claim=f"values of {symbol} on {DATASET}",
                source="Fig. 2b",
                published="; ".join(f"{row.name} {number(row.value, error=row.error)}" for row in there)
                or f"{len(rows)} models",
                here=here or "none of them",
                rule=f"within {MARGIN:g}",
                verdict=agree,
                repeats=REPEATS[name],
            )
        )
    return claims


def depth_claim(pretrained: Survey) -> Claim:
    """The claim that mu grows with depth in the smallest model of each family: an item a family measured here."""
    first = [paper.trend("Fig2", "spearman", name).iloc[0] for name in PAPER_FAMILIES]
    least = min(first, key=lambda row: row.value)
    smallest = [members[0].condensation for members in pretrained.families.values()]
    items = [estimated(result, METRICS["rho"][2]) for result in smallest]
    reason = f"the lowest published of the smallest models, {least.model}"
    here = [f"{r.name} {number(r.rho, r.rho_interval)}" for r in smallest]
    here += [f"{name}: not measured ({why})" for name, why in pretrained.missing.items()]
    tests = [effect(item, least.value, reason) for item in items]
    return Claim(
        claim="smallest pretrained model of each family: μ grows with depth (ρ > 0)",
        source="Fig. 2b",
        published="; ".join(f"{row.model} {number(row.value, error=row.error)}" for row in first),
        here="; ".join(here) or "none",
        verdict=tests or not_testable("no pretrained model here"),
    )


def repeat_claims(first: Sequence[Condensation], second: Sequence[Condensation]) -> list[Claim]:
    """Two claims of this book's own: rho and tau of the same models are the same on two sets of texts."""
    claims = []
    for name, (symbol, _, statistic) in METRICS.items():
        least = min((published_fall("Fig. 2b", name, published) for published in PAPER_FAMILIES), key=abs)
        reason = f"about a tenth of the smallest published fall with size, {least:.2f}"
        pairs = [(estimated(a, statistic), estimated(b, statistic)) for a, b in zip(first, second, strict=True)]
        found = [stats.apart(b, a) for a, b in pairs]
        said = [f"{a.name} {number(one.value, one.interval)}" for a, one in zip(first, found, strict=True)]
        tests = [no_change(one, MARGIN, reason) for one in found]
        claims.append(
            Claim(
                claim=f"{symbol} is the same on other texts of the corpus",
                here="; ".join(said) or "none",
                verdict=tests or not_testable("no pretrained model here"),
                repeats=REPEATS[name],
            )
        )
    return claims


# --- figure -----------------------------------------------------------------------------------------------------------


def over_size(groups: Mapping[str, Sequence[Measured]]) -> Figure:
    """Fig. 2b in one panel: Spearman's rho over the number of parameters, published (grey) and measured here.

    A line per family, with 95 % intervals over the texts; hollow: without training.
    """
    sizes = {name: [_parameters(m.condensation) for m in members] for name, members in groups.items()}
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 4.2), layout="constrained")
        smallest = min([1e8, *(size for of in sizes.values() for size in of)])
        axis.set(xscale="log", xlim=(0.8 * smallest, 1.1e11), ylim=(-1.08, 1.08))
        axis.set(xlabel="parameters", ylabel="Spearman ρ of μ with depth")
        axis.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        _published(axis)
        for (name, members), colour in zip(groups.items(), colours(len(groups), "colorblind"), strict=True):
            _measured(axis, name, sizes[name], members, colour)
        legend_below(figure)
    return closed(figure)


def _parameters(result: Condensation) -> int:
    """Of the published checkpoint, where the model is known: a file may count tied embeddings twice."""
    known = models.table().get(result.name, {}).get("parameters")
    return known or result.settings["model"]["parameters"]


def _published(axis: Axes) -> None:
    sizes = {one["in_paper"]: one.get("parameters") for one in models.table().values() if "in_paper" in one}
    for name in PAPER_FAMILIES:
        points = paper.trend("Fig2", METRICS["rho"][1], name)
        x = [sizes[model] for model in points.model]
        axis.plot(x, points.value, "o-", color=GREY, markersize=4, linewidth=1.2, label="published", zorder=1)
        label_ends(axis, [(points.value.iloc[-1], name, "0.35")], x[-1])


def _measured(axis: Axes, name: str, x: Sequence[int], members: Sequence[Measured], colour: tuple) -> None:
    results = [member.condensation for member in members]
    fill = "none" if members[0].record.content["config"]["weights"] == "random" else "full"
    low, high = zip(*(r.rho_interval for r in results), strict=True)
    axis.vlines(x, low, high, color=colour, linewidth=2.5, alpha=0.4, zorder=2)
    y = [r.rho for r in results]
    axis.plot(x, y, "D-", color=colour, markersize=6, fillstyle=fill, linewidth=1.2, label=name, zorder=3)
