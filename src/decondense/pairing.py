"""Two measurements of the same texts: their differences, with intervals taken text by text."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from . import metrics
from .condensation import Condensation
from .stats import BOOTSTRAPS, Estimate, Interval, bootstrapped, percentile_interval

QUANTITIES = {  # of the course of mu over depth, and of its resolution
    "late half": lambda mu, resolution: metrics.mean_of_last(mu, None),
    "rho": metrics.spearman,
    "tau": metrics.kendall,
}
CONTROLS = ("between", "excess")  # of the controls, over the late half of the entries, where both results have them
SAME = ("max_length", "eps")  # settings without which numbers of the same texts cannot be compared

_NONE = Interval(np.nan, np.nan)


class Difference(NamedTuple):
    """A number of two results, the second minus the first, and the 95 % interval of that over the texts.

    A difference of mu up to `resolution`, that of the coarser dtype, is rounding; of ranks it is not known, and 0 here.
    """

    quantity: str
    first: float
    second: float
    difference: float
    interval: Interval
    resolution: float = 0.0


class Paired(NamedTuple):
    """Two results compared: mu at each relative depth (`depth`, from 0 to 1), and the numbers of `QUANTITIES`."""

    first: str
    second: str
    texts: int
    depth: Float[np.ndarray, "grid"]
    mu: Difference  # arrays over `depth`
    numbers: list[Difference]


def compare(first: Condensation, second: Condensation) -> Paired:
    """Differences, second minus first, with paired 95 % bootstrap intervals over the texts.

    Each of the 2,000 resamples draws the same texts for both, so what makes a text easy or hard for both cancels.
    Percentile intervals; NaN with fewer than two texts. Where the numbers of entries differ, mu of the deeper model is
    interpolated linearly to the relative depths l / L of the shallower. rho, tau and the mean over the late half (as
    `metrics.mean_of_last`) are taken from each model's own entries, and so are `CONTROLS` where both results
    have them (no interval below three pairs of texts). The intervals cover the choice of texts only, and each entry by
    itself.

    Raises
        ValueError: the results are not of the same texts, or were not measured in the same way.
    """
    check_same_texts(first, second)
    one, other = map(_drawn_alike, (first, second))
    depth = min((one.layer_fraction, other.layer_fraction), key=len)
    texts = len(one.mu_per_text)
    a, b = _at(depth, one.mu), _at(depth, other.mu)
    resampled = _at(depth, other.resampled_mu) - _at(depth, one.resampled_mu)
    band = percentile_interval(resampled, texts)
    numbers = [_difference(name, one, other) for name in QUANTITIES]
    if one.controls is not None and other.controls is not None:
        numbers += [_difference_of_controls(name, one, other) for name in CONTROLS]
    return Paired(
        first.name, second.name, texts, depth, Difference("mu", a, b, b - a, band, _coarser(one, other)), numbers
    )


def _drawn_alike(result: Condensation) -> Condensation:
    """The result with the seed 0, so that the same texts are drawn for any two."""
    controls = None if result.controls is None else replace(result.controls, seed=0)
    return replace(result, settings=result.settings | {"seed": 0}, controls=controls)


def _at(depth: np.ndarray, mu: Float[np.ndarray, "*batch entries"]) -> np.ndarray:
    """mu at relative depths, linear between the entries."""
    last = mu.shape[-1] - 1
    place = np.round(depth * last, 9)  # an entry of its own is taken as it is: a NaN beside it does not count
    below = place.astype(int)
    share, above = place - below, np.minimum(below + 1, last)
    return np.where(share == 0, mu[..., below], (1 - share) * mu[..., below] + share * mu[..., above])


def _difference(name: str, first: Condensation, second: Condensation) -> Difference:
    of = QUANTITIES[name]
    a, b = (float(of(result.mu, result.resolution)) for result in (first, second))
    resampled = [of(result.resampled_mu, result.resolution) for result in (first, second)]
    interval = percentile_interval(resampled[1] - resampled[0], len(first.mu_per_text))
    return Difference(name, a, b, b - a, interval, _coarser(first, second) if name == "late half" else 0.0)


def _difference_of_controls(name: str, first: Condensation, second: Condensation) -> Difference:
    late = lambda values: metrics.mean_of_last(values, None)
    a, b = (float(late(result.controls[name])) for result in (first, second))
    draws = [late(result.controls.resampled(name)) for result in (first, second)]
    interval = percentile_interval(draws[1] - draws[0], len(first.mu_per_text)) if len(draws[0]) else _NONE
    return Difference(f"{name} late half", a, b, b - a, interval, _coarser(first, second))


def _coarser(first: Condensation, second: Condensation) -> float:
    return max(first.resolution, second.resolution)


def paired_differences(
    results: Sequence[Condensation], statistic: Callable[[np.ndarray], np.ndarray]
) -> tuple[Estimate, list[Estimate]]:
    """(last - first) and each step between models in the order of size, of a `statistic` of mu.

    The models were measured on the same texts, so a difference is taken resample by resample, each with the same texts.
    """
    values = [float(statistic(result.mu)) for result in results]
    draws = [statistic(_resampled(result)) for result in results]
    texts = min(len(result.mu_per_text) for result in results)
    between = lambda a, b: bootstrapped(values[b] - values[a], draws[b] - draws[a], texts, "texts")
    return between(0, -1), [between(i, i + 1) for i in range(len(results) - 1)]


def estimated(result: Condensation, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    """A `statistic` of mu of one model, over its texts."""
    return bootstrapped(float(statistic(result.mu)), statistic(_resampled(result)), len(result.mu_per_text), "texts")


def _resampled(result: Condensation) -> Float[np.ndarray, "bootstraps resamples entries"]:
    """mu of bootstrap resamples; the same draws for each model with so many texts."""
    texts = len(result.mu_per_text)
    draws = np.random.default_rng(0).multinomial(texts, np.full(texts, 1 / texts), size=BOOTSTRAPS)
    return draws @ result.mu_per_text / texts


def check_same_texts(first: Condensation, second: Condensation) -> None:
    """Refuse results of other texts, known by `settings["texts_sha256"]`, else by the numbers of tokens.

    Raises
        ValueError: says what differs, and how to measure again.
    """
    who = f"{first.name} and {second.name}"
    cure = "Measure both again with the same --texts or --dataset, --n, --text-seed and --max-length."
    for name in SAME:
        a, b = first.settings[name], second.settings[name]
        if a != b and None not in (a, b):  # nothing was cut here from states that others saved
            raise ValueError(f"{who} were measured with {name} {a} and {b}. {cure}")
    hashes = known_texts(first), known_texts(second)
    if len(first.mu_per_text) != len(second.mu_per_text) or (all(hashes) and hashes[0] != hashes[1]):
        raise ValueError(f"{who} were not measured on the same texts. {cure}")
    if not all(hashes) and not np.array_equal(first.tokens, second.tokens):
        raise ValueError(f"Nothing shows that {who} were measured on the same texts: their token counts differ. {cure}")


def known_texts(result: Condensation) -> str | None:
    """The SHA-256 of the texts that a result was measured on; `None` where it does not say."""
    return result.settings.get("texts_sha256")


def excludes_zero(difference: Difference) -> bool:
    """Whether the whole interval lies on one side of 0, and further from it than rounding reaches; never for an
    interval that is not finite.
    """
    low, high = difference.interval
    return bool(low > difference.resolution or high < -difference.resolution)


def sentence(difference: Difference, first: str, second: str) -> str:
    """The difference in plain words, and whether its interval excludes 0."""
    low, high = difference.interval
    value = f"{difference.quantity}: {second} minus {first} is {difference.difference:+.4f}"
    if not np.isfinite([low, high]).all():
        return (
            f"{value}; there is no interval, which needs two texts or more, numbers that are finite, and for rho and "
            "tau a mu that is not constant up to rounding."
        )
    value = f"{value}, 95 % interval {low:+.4f} to {high:+.4f}"
    if excludes_zero(difference):
        return f"{value}, which excludes 0: {second} is {'higher' if low > 0 else 'lower'} on such texts."
    if low > 0 or high < 0:
        rounding = f"not the {difference.resolution:g} that the coarser of the two dtypes leaves to rounding"
        return f"{value}, which excludes 0 but {rounding}: these measurements cannot separate them."
    return f"{value}, which includes 0: these texts cannot separate them."


def facts(pair: Paired) -> dict:
    """A comparison as plain data."""
    difference = lambda d: {name: value for name, value in d._asdict().items() if name != "quantity"}
    numbers = {number.quantity.replace(" ", "_"): difference(number) for number in pair.numbers}
    names = {"first": pair.first, "second": pair.second, "texts": pair.texts}
    return {**names, **numbers, "depth": pair.depth, "mu": difference(pair.mu)}
