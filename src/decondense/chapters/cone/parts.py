"""Numbers asked of the controls at one place of a model, with intervals over the texts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ... import stats
from ...condensation import Condensation
from ...controls import Controls
from ...controls.result import GROUPS
from ...metrics import mean_of_last
from ...runs.tables import text
from ...stats import Estimate, Interval

Term = tuple[Controls, str, float]  # a quantity of a measurement, and its weight
PLACES = {  # of values (..., entries)
    "middle": lambda values: values[..., (values.shape[-1] - 1) // 2],
    "late half": lambda values: mean_of_last(values, None),
    "last": lambda values: values[..., -1],
}
SHOWN = ("within", "between", "excess", "within_without_top_3", "between_without_top_3", "share_top_3")
SHOWN += ("excess_centred", "excess_without_top_3")


def estimate(terms: Sequence[Term], place: str) -> Estimate:
    """Sum of weight x quantity at one of `PLACES`, with its bootstrap over the texts, which all terms have in common.

    Of two models on the same texts the difference is so taken text by text. No interval where most samples of the
    texts have no pair that counts.

    Raises
        ValueError: terms of measurements with different numbers of texts.
    """
    texts = {controls.texts for controls, _, _ in terms}
    if len(texts) != 1:
        raise ValueError(f"Measurements of the same texts are needed, got {sorted(texts)} texts.")
    units, (bootstraps, resamples) = min(max(texts), GROUPS), stats.BOOTSTRAPS  # of more texts some are drawn together
    draws = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=bootstraps * resamples)
    value = sum(weight * PLACES[place](controls[name]) for controls, name, weight in terms)
    found = sum(weight * PLACES[place](controls.at_draws(name, draws)) for controls, name, weight in terms)
    found = found.reshape(bootstraps, resamples)
    kept = found[:, np.isfinite(found).all(0)]  # a sample may have no pair of texts
    if kept.shape[1] < resamples / 2:
        return Estimate(float(value), Interval(np.nan, np.nan), np.nan, units, "texts")
    return stats.bootstrapped(float(value), kept, units, "texts")


def shared_beyond_own(result: Condensation, place: str) -> Estimate:
    """Between texts minus the excess of within over between: above 0 where more of the cone is shared by all texts."""
    return estimate([(result.controls, "between", 1.0), (result.controls, "excess", -1.0)], place)


def table(results: Mapping[str, Condensation], place: str, quantities: Sequence[str] = SHOWN) -> pd.DataFrame:
    """The quantities of each result at a place, with 95 % intervals over the texts, in words."""
    rows = {
        name: {which: text(estimate([(result.controls, which, 1.0)], place), 2) for which in quantities}
        for name, result in results.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(quantities))


def middle(results: Mapping[str, Condensation], quantities: Sequence[str]) -> pd.DataFrame:
    """The quantities of each result at the middle entry, as numbers."""
    values = {
        name: {which: float(PLACES["middle"](result.controls[which])) for which in quantities}
        for name, result in results.items()
    }
    return pd.DataFrame.from_dict(values, orient="index", columns=list(quantities))
