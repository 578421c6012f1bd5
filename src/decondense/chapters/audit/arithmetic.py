"""Arithmetic of Table 2's hours and of Table S1. A printed value stands for every value that rounds to it."""

import pandas as pd

from ... import paper
from ...paper.rounding import outcome, rounded
from ...stats import Interval

LAST_STEP = 1526  # of the four mid-training runs, by the last heat maps of Fig. 7


def time_ratios() -> pd.DataFrame:
    """Table 2's hours over those of plain training, beside the printed ratio: one row a (model, condition), outcome."""
    found = paper.table("table2_midtraining")
    found = found[found.benchmark == "average"].dropna(subset=["a100_hours", "time_ratio"])
    found = found.set_index(["model", "condition"])
    base = found.a100_hours.xs("train", level="condition").reindex(found.index.get_level_values("model")).to_numpy()
    half = 0.0005
    table = pd.DataFrame({"hours": found.a100_hours, "printed": found.time_ratio, "ratio": found.a100_hours / base})
    table["low"], table["high"] = (found.a100_hours - half) / (base + half), (found.a100_hours + half) / (base - half)
    table.loc[table.index.get_level_values("condition") == "train", ["low", "high"]] = 1.0  # of itself
    spans = table[["printed", "low", "high"]].itertuples(index=False)
    table["outcome"] = [outcome(rounded(row[0], 2), Interval(row[1], row[2])) for row in spans]
    return table


def batches() -> pd.DataFrame:
    """Table S1 by experiment: sequences and tokens of a batch as printed and as their factors give; the steps.

    sequences = GPUs x sequences a device x accumulation; tokens = sequences x context; steps = all tokens / tokens.
    """
    found = paper.table("tableS1_settings").pivot(index="experiment", columns="setting", values="value")
    number = lambda column: pd.to_numeric(found[column])
    gpus, accumulation = number("gpu_count_per_job"), number("gradient_accumulation_steps")
    sequences = gpus * number("batch_size_per_device") * accumulation
    return pd.DataFrame(
        {
            "sequences": number("effective_batch_sequences"),
            "of its factors": sequences,
            "tokens": number("effective_batch_tokens"),
            "by context": sequences * number("context_length_tokens"),
            "steps": number("training_tokens") / number("effective_batch_tokens"),
        }
    )
