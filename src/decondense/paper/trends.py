"""rho, tau and the mean cosine over the models of a family in the order of size: claims beside the published values."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from .. import metrics, models
from ..condensation import Condensation
from ..pairing import paired_differences
from . import mean_cosines, trend
from .claims import Claim, chain
from .verdicts import Test, effect

PAPER_FAMILIES = ("GPT2", "Qwen2.5", "Bloom", "Qwen3")  # of Fig. 2b
METRICS = {  # a number of a Condensation -> its symbol, its name in the paper's CSV, the function of mu that gives it
    "rho": ("Spearman ρ", "spearman", metrics.spearman),
    "tau": ("Kendall τ", "kendall", metrics.kendall),
}
REPEATS = {"rho": "", "tau": "the claim on ρ: ρ and τ are two rank correlations of the same profile"}  # for `Claim`
Statistic = Callable[[np.ndarray], np.ndarray]  # of mu over the entries, the last axis
LATE_HALF: Statistic = partial(metrics.mean_of_last, entries=None)
READ_OFF = ("GPT2", "GPT2-xl")  # the models of Fig. 2a, the smallest and the largest of four sizes
FIGURES = {"Fig. 2b": "Fig2", "Fig. 2b, S1": "Fig2", "Fig. S2": "FigS2", "Fig. 3b": "Fig3"}  # source -> name in the CSV


def size_claims(
    family: str, results: Sequence[Condensation], source: str, published: str, dataset: str = "wikitext-103",
    alike: Sequence[str] | None = None, systematic: Mapping[str, float] | None = None,
) -> list[Claim]:  # fmt: skip
    """Two claims for one family in the order of size, on the largest minus the smallest: rho falls, tau falls.

    published
        The family of `source` (Fig. 2b, S2) whose values are beside it; `smallest_fall` takes from it what counts.
    alike
        The two models of that family that are as large as the smallest and the largest here; their own names in the
        paper if `None`.
    systematic
        For "rho" and "tau", how far something else than size may have moved the difference (`Estimate.systematic`).
    """
    return [
        Claim(
            claim=f"{family}: the larger the model, the lower {symbol} (largest - smallest)",
            source=source,
            published=published_text(source, name, published, dataset),
            here=chain([getattr(r, name) for r in results], [getattr(r, f"{name}_interval") for r in results]),
            rule=_steps(results, statistic),
            verdict=[size_test(name, results, source, published, dataset, alike, (systematic or {}).get(name, 0.0))],
            repeats=REPEATS[name],
        )
        for name, (symbol, _, statistic) in METRICS.items()
    ]


def size_test(
    name: str, results: Sequence[Condensation], source: str, published: str, dataset: str = "wikitext-103",
    alike: Sequence[str] | None = None, systematic: float = 0.0,
) -> Test:  # fmt: skip
    """The test behind one of `size_claims`: `name` is "rho" or "tau", the rest as there."""
    end, steps = paired_differences(results, METRICS[name][2])
    first, last = alike or (paper_name(results[0].name), paper_name(results[-1].name))
    return effect(
        end._replace(systematic=systematic),
        *smallest_fall(name, source, published, dataset, first, last, len(steps)),
    )


def _steps(results: Sequence[Condensation], statistic: Statistic) -> str:
    steps = paired_differences(results, statistic)[1]
    rises = sum(step.interval.low > 0 for step in steps)
    return f"{rises} of {len(steps)} steps between neighbours rise beyond their interval" if len(steps) > 1 else ""


def smallest_fall(
    name: str, source: str, family: str, dataset: str, first: str | None, last: str | None, steps: int
) -> tuple[float, str]:
    """The smallest fall of rho or tau that counts, below 0, and where it comes from.

    The published fall from model `first` to `last`; where the figure does not have both, or shows no fall between them,
    the mean fall a step of the published family, times the steps here.
    """
    values = trend(FIGURES[source], METRICS[name][1], family, dataset).set_index("model").value
    risen = ""
    if first in values and last in values:
        fall = float(values[last] - values[first])
        if fall < 0:
            return fall, f"published, {first} to {last} on {dataset}"
        risen = f"; the published values of {first} and {last} rise by {fall:.2f}"
    each = float(values.iloc[-1] - values.iloc[0]) / (len(values) - 1)
    often = f", times {steps}" if steps > 1 else ""
    return each * steps, f"published, the mean step of {family} on {dataset}{often}{risen}"


def published_fall(source: str, name: str, family: str, dataset: str = "wikitext-103") -> float:
    """Published rho or tau of the last model of a family minus that of the first."""
    values = trend(FIGURES[source], METRICS[name][1], family, dataset).value
    return float(values.iloc[-1] - values.iloc[0])


def published_means(statistic: Statistic) -> tuple[float, float]:
    """A `statistic` of the mean cosines read off the heat maps of Fig. 2a: of GPT2, and of GPT2-xl."""
    small, large = (float(statistic(mean_cosines("Fig2a", model).cosine_mean.to_numpy())) for model in READ_OFF)
    return small, large


def published_text(source: str, name: str, family: str, dataset: str = "wikitext-103") -> str:
    """The published rho or tau of a family as text, with the error of reading the figure."""
    table = trend(FIGURES[source], METRICS[name][1], family, dataset)
    return f"{family} on {dataset}: {' → '.join(f'{v:.2f}' for v in table.value)}, each ± {table.error.max():g}"


def metric_of(symbol: str) -> str | None:
    """The key of `METRICS` with this symbol, if there is one."""
    return next((metric for metric, (known, _, _) in METRICS.items() if known == symbol), None)


def paper_name(model: str) -> str | None:
    """The name that the paper's figures give to a model of `families.toml`; `None` where it does not show it."""
    return models.table().get(model, {}).get("in_paper")
