"""`decondense measure --controls`: what of mu is shared by all texts, and what by the tokens of one text."""

from collections.abc import Sequence

SHOWN = (
    "within", "between", "excess", "excess_centred", "excess_standardised", "within_without_top_3",
    "between_without_top_3", "excess_without_top_3", "share_top_3",
)  # fmt: skip
MEANING = (
    "Between texts is the mean cosine of tokens of different texts: where it is high, all texts share one vector. The "
    "excess, within minus between, is what the tokens of one text share beyond that. Centred: after the mean of other "
    "texts is removed; standardised: after each dimension is also divided by its standard deviation; without top 3: "
    "without the three largest dimensions of that mean, whose share of its squared norm is the last row. With few "
    "texts that mean is inexact; give ten or more. With a single text, all rows but the first are NaN. No token is "
    "paired with itself. report.json has every quantity at every entry, and the last block before the final norm."
)


def facts(controls) -> dict:
    """Every quantity at each entry with its interval, and in the output of the last block before the final norm."""
    return {
        name: {
            "value": controls[name],
            "interval": controls.interval(name),
            "before_final_norm": controls.before_final_norm(name),
        }
        for name in controls.quantities
    }


def rows(controls) -> list[tuple[str, Sequence[tuple[float, float, float]]]]:
    """For each quantity of the short table (value, low, high) at the first, the middle and the last entry."""
    found = []
    for name in SHOWN:
        low, high = controls.interval(name)
        places = (0, (len(low) - 1) // 2, len(low) - 1)
        found.append((name.replace("_", " "), [(controls[name][i], low[i], high[i]) for i in places]))
    return found
