"""rho and tau over the models of a family in the order of size: claims on them, beside the published values."""

from collections.abc import Callable, Sequence

from .. import metrics, models
from ..condensation import Condensation
from ..pairing import paired_differences
from . import trend
from .claims import Claim, chain
from .verdicts import effect

PAPER_FAMILIES = ("GPT2", "Qwen2.5", "Bloom", "Qwen3")  # of Fig. 2b
METRICS = {  # a number of a Condensation -> its symbol, its name in the paper's CSV, the function of mu that gives it
    "rho": ("Spearman ρ", "spearman", metrics.spearman),
    "tau": ("Kendall τ", "kendall", metrics.kendall),
}
REPEATS = {"rho": "", "tau": "the claim on ρ: ρ and τ are two rank correlations of the same profile"}  # for `Claim`


def size_claims(family: str, results: Sequence[Condensation], source: str, published: str, dataset: str) -> list[Claim]:
    """Two claims for one family in the order of size, on the largest minus the smallest: rho falls, tau falls.

    published
        The family of `source` (Fig. 2b, S2) whose values are beside it: its fall is the smallest effect that counts.
    """
    return [
        Claim(
            claim=f"{family}: the larger the model, the lower {symbol} (largest - smallest)",
            source=source,
            published=published_text(source, name, published, dataset),
            here=chain([getattr(r, name) for r in results], [getattr(r, f"{name}_interval") for r in results]),
            rule=_steps(results, statistic),
            verdict=[
                effect(
                    paired_differences(results, statistic)[0],
                    published_fall(source, name, published, dataset),
                    f"the published fall of {published}",
                )
            ],
        )
        for name, (symbol, _, statistic) in METRICS.items()
    ]


def _steps(results: Sequence[Condensation], statistic: Callable) -> str:
    steps = paired_differences(results, statistic)[1]
    rises = sum(step.interval.low > 0 for step in steps)
    return f"{rises} of {len(steps)} steps between neighbours rise beyond their interval" if len(steps) > 1 else ""


FIGURES = {
    "Fig. 2b": "Fig2",
    "Fig. 2b, S1": "Fig2",
    "Fig. S2": "FigS2",
    "Fig. 3b": "Fig3",
}  # source -> its name in the CSV


# Source of a claim -> its name in the CSV.
FIGURES = {"Fig. 2b": "Fig2", "Fig. 2b, S1": "Fig2", "Fig. S2": "FigS2", "Fig. 3b": "Fig3"}


def published_fall(source: str, name: str, family: str, dataset: str = "wikitext-103") -> float:
    """Published rho or tau of the last model of a family minus that of the first."""
    values = trend(FIGURES[source], METRICS[name][1], family, dataset).value
    return float(values.iloc[-1] - values.iloc[0])


def published_text(source: str, name: str, family: str, dataset: str = "wikitext-103") -> str:
    """The published rho or tau of a family as text, with the error of reading the figure."""
    table = trend(FIGURES[source], METRICS[name][1], family, dataset)
    return f"{family} on {dataset}: {' → '.join(f'{v:.2f}' for v in table.value)}, each ± {table.error.max():g}"


def paper_name(model: str) -> str | None:
    """The name that the paper's figures give to a model of `families.toml`; `None` where it does not show it."""
    return models.table().get(model, {}).get("in_paper")
