"""Where a run starts: the geometry of untrained models, and how it depends on the text. Tables, claims, figures."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ... import models, paper
from ...paper.claims import BOOK, Claim, number, signed
from ...paper.trends import METRICS, REPEATS
from ...paper.verdicts import exact, no_change, not_testable
from ...plots import STYLE, WIDTH, closed, colours, label_ends
from ...stats import mean_and_interval
from ...surveys import Measured, untrained
from ...surveys.untrained import Found

IN_FIG4 = "olmo-3-7b"  # the model of Fig. 4
TOLERANCE, BECAUSE = 0.05, "ρ and τ go from -1 to 1, and 0.95 is near 1"  # a smaller change does not count
Members = Sequence[Measured]  # one measurement a seed


# --- tables -----------------------------------------------------------------------------------------------------------


def table(found: Found) -> pd.DataFrame:
    """One row per model: size, and over the seeds the mean with lowest and highest of rho, tau, first and last mu.

    `falls`: steps from one entry to the next, of all, where mu (mean over the seeds) does not rise.
    """
    rows = {}
    for name, members in found.items():
        config, steps = untrained.configuration(name), np.diff(np.mean([m.condensation.mu for m in members], axis=0))
        rows[name] = {
            "blocks": config.num_hidden_layers,
            "width": config.hidden_size,
            **_correlations(members),
            **_levels(members, {"first": 0, "last": -1}),
            "falls": f"{(steps <= 0).sum()} of {len(steps)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def repetition(found: Mapping[int, Members]) -> pd.DataFrame:
    """`untrained.repeated`, one row a count: over the seeds rho, tau, first, second and last mu, as in `table`."""
    rows = {
        count: _correlations(members) | _levels(members, {"first": 0, "second": 1, "last": -1})
        for count, members in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("different tokens")


def cost(members: Members) -> pd.Series:
    """What measurements took, from their records."""
    made = pd.DataFrame([m.record.content["provenance"] for m in members])
    return pd.Series({
        "measurements": len(made),
        "minutes in total": round(made.seconds.sum() / 60, 1),
        "longest, minutes": round(made.seconds.max() / 60, 1),
        "peak memory, GB": round(made.peak_memory_bytes.max() / 1e9, 1),
    })  # fmt: skip


def _correlations(members: Members) -> dict[str, str]:
    return {symbol: spread(_values(members, name)) for name, symbol in (("rho", "ρ"), ("tau", "τ"))}


def _levels(members: Members, entries: Mapping[str, int]) -> dict[str, str]:
    return {f"{name} μ": spread([float(m.condensation.mu[at]) for m in members]) for name, at in entries.items()}


def _values(members: Members, name: str) -> list[float]:
    return [getattr(m.condensation, name) for m in members]


def spread(values: Sequence[float]) -> str:
    """Mean, lowest and highest as the tables show them: `0.532 [0.511, 0.550]`; the mean alone of one value."""
    return f"{np.mean(values):.3f}" + (f" [{min(values):.3f}, {max(values):.3f}]" if len(values) > 1 else "")


# --- claims -----------------------------------------------------------------------------------------------------------


def claims(found: Found) -> list[Claim]:
    """Fig. 4's start against Olmo-3 here; and two questions of this book's own on all other architectures.

    rho and tau are judged model by model, over the draws of the weights; tau repeats rho.
    """
    published, rows = paper.training_run().iloc[0], []
    olmo = {name: members for name, members in found.items() if name == IN_FIG4}
    others = {name: members for name, members in found.items() if name != IN_FIG4}
    for name, (symbol, metric, _) in METRICS.items():
        claim = f"Olmo-3-7B at initialisation: {symbol} as published (near 1)"
        there = {"source": "Fig. 4", "published": number(published[metric], error=published[f"{metric} error"])}
        rows.append(_near(claim, name, olmo, float(published[metric]), **there))
    for name, (symbol, _, _) in METRICS.items():
        rows.append(_near(f"every other architecture at initialisation: {symbol} = 1", name, others, 1.0))
    return [*rows, size_claim(found)]


def _near(
    claim: str,
    name: str,
    found: Mapping[object, Members],
    target: float,
    source: str = BOOK,
    published: str = "not stated",
) -> Claim:
    """rho or tau of every item is `target`, within `TOLERANCE`, over its seeds."""
    apart = [mean_and_interval(np.subtract(_values(members, name), target)) for members in found.values()]
    return Claim(
        claim=claim,
        source=source,
        published=published,
        here=_said(name, found),
        verdict=[no_change(one, TOLERANCE, BECAUSE) for one in apart] or not_testable("not measured in this profile"),
        repeats=REPEATS[name],
    )


def _said(name: str, found: Mapping[object, Members]) -> str:
    """Each of a few items; of many only how many there are, and all their seeds together."""
    if len(found) > 4:
        return f"{len(found)} models: {spread([one for members in found.values() for one in _values(members, name)])}"
    return "; ".join(f"{item} {spread(_values(members, name))}" for item, members in found.items()) or "none"


def size_claim(found: Found) -> Claim:
    """Whether the last mu is higher in the largest model of each family than in its smallest."""
    last = lambda members: float(np.mean([m.condensation.mu[-1] for m in members]))
    ends = {f: list(group.values()) for f, group in untrained.families(found).items() if len(group) > 1}
    rises = pd.Series({f: last(group[-1]) - last(group[0]) for f, group in ends.items()}, dtype=float)
    missing = not_testable("no family with two sizes in this profile")
    return Claim(
        claim="untrained: the largest model of a family has a higher last μ than its smallest",
        here=signed(rises) or "none",
        rule="largest minus smallest above 0, of means over the draws",
        verdict=exact((rises > 0).sum(), len(rises), "families rise") if len(rises) else missing,
        power="means over the draws: no interval" if len(rises) else "",
    )


def repetition_claim(model: str, found: Mapping[int, Members]) -> Claim:
    """This book's question on `untrained.repeated`: is rho 1 whatever the text? An item a count of tokens."""
    return _near(f"{model}, untrained: Spearman ρ = 1 however few different tokens a text has", "rho", found, 1.0)


# --- figures ----------------------------------------------------------------------------------------------------------


def profiles(found: Found) -> Figure:
    """mu over depth, one panel per family and one line per model: mean over the seeds, band from lowest to highest."""
    return _profiles(untrained.families(found))


def repeated_profiles(model: str, found: Mapping[int, Members]) -> Figure:
    """The same of one model, a line for each count of different tokens in a text."""
    return _profiles({model: {f"{count} different": members for count, members in found.items()}})


def _profiles(groups: Mapping[str, Mapping[str, Members]]) -> Figure:
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(WIDTH * columns / 2, 2.4 * rows + 0.2),
            squeeze=False,
            sharey=True,
            layout="constrained",
        )
        for axis, (title, lines) in zip(axes.flat, groups.items(), strict=False):
            shades, ends = colours(len(lines)), []
            for (name, members), colour in zip(lines.items(), shades, strict=True):
                mu, depth = np.array([m.condensation.mu for m in members]), members[0].condensation.layer_fraction
                axis.plot(depth, mu.mean(0), color=colour, label=models.shown(name))
                axis.fill_between(depth, mu.min(0), mu.max(0), color=colour, alpha=0.2, linewidth=0)
                ends.append((mu.mean(0)[-1], models.shown(name), colour))
            axis.set(title=title, xlabel="layer fraction", ylim=(0, 1), xlim=(0, 1), xticks=(0, 0.5, 1))
            label_ends(axis, ends, 1.0)
        for axis in axes[:, 0]:
            axis.set_ylabel("mean cosine μ, untrained")
        for axis in axes.flat[len(groups) :]:
            axis.set_visible(False)
    return closed(figure)
