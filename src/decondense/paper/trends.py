"""rho and tau over the models of a family in the order of size: claims on them, beside the published values."""

from collections.abc import Sequence

from .. import metrics, models
from ..condensation import Condensation
from ..pairing import paired_differences
from ..stats import Interval
from . import trend
from .claims import Claim, chain
from .verdicts import FALLS, falls_with_size

PAPER_FAMILIES = ("GPT2", "Qwen2.5", "Bloom", "Qwen3")  # of Fig. 2b
METRICS = {  # a number of a Condensation -> its symbol, its name in the paper's CSV, the function of mu that gives it
    "rho": ("Spearman ρ", "spearman", metrics.spearman),
    "tau": ("Kendall τ", "kendall", metrics.kendall),
}


def size_claims(family: str, results: Sequence[Condensation], source: str, published: dict[str, str]) -> list[Claim]:
    """Two claims for one family in the order of size: rho falls, tau falls. `published` says what the paper has."""
    return [
        Claim(
            claim=f"{family}: the larger the model, the lower {symbol}",
            source=source,
            published=published[name],
            here=chain([getattr(r, name) for r in results], [getattr(r, f"{name}_interval") for r in results]),
            rule=FALLS,
            verdict=falls_with_size(*paired_differences(results, statistic)),
        )
        for name, (symbol, _, statistic) in METRICS.items()
    ]


def published_trend(figure: str, family: str, dataset: str = "wikitext-103") -> dict[str, str]:
    """The published rho and tau of a family as text, with the verdict that the rule `FALLS` gives them.

    Published values have no interval over texts, so the error of reading the figure is taken instead.
    """
    found = {}
    for name, (_, metric, _) in METRICS.items():
        table = trend(figure, metric, family, dataset)
        low, high = (table.value - table.error).to_numpy(), (table.value + table.error).to_numpy()
        steps = [Interval(low[i + 1] - high[i], high[i + 1] - low[i]) for i in range(len(table) - 1)]
        verdict = falls_with_size(Interval(low[-1] - high[0], high[-1] - low[0]), steps).word
        values = " → ".join(f"{v:.2f}" for v in table.value)
        found[name] = f"{family} on {dataset}: {values}, each ± {table.error.max():g} (by this rule: {verdict})"
    return found


def paper_name(model: str) -> str | None:
    """The name that the paper's figures give to a model of `families.toml`; `None` where it does not show it."""
    return models.table().get(model, {}).get("in_paper")
