"""Arithmetic of Table 2's hours, of Table S1, and of the numbers of parameters on the figures.

A printed value stands for every value that rounds to it.
"""

import pandas as pd

from ... import paper
from . import tables

LAST_STEP = 1526  # of the four mid-training runs, by the last heat maps of Fig. 7
PARAMETERS = (  # figure, model, (width, blocks, width of the MLP), printed number in millions, its last printed digit
    *(("Fig. 3", f"MLP {mlp}", (768, 12, mlp), m, 1.0) for mlp, m in ((64, 69), (256, 73), (1024, 87), (4096, 143))),
    ("Fig. 2", "GPT2", (768, 12, 3072), 124, 1.0),
    ("Fig. 2", "GPT2-m", (1024, 24, 4096), 335, 1.0),
    ("Fig. S2", "GPT2-m", (1024, 24, 4096), 355, 1.0),
    ("Fig. 2", "GPT2-l", (1280, 36, 5120), 774, 1.0),
    ("Fig. 2", "GPT2-xl", (1600, 48, 6400), 1500, 100.0),
)


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
    table["outcome"] = [tables.outcome(tables.rounded(row[0], 2), tables.Interval(row[1], row[2])) for row in spans]
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


def gpt2_parameters(width: int, blocks: int, mlp: int, vocabulary: int = 50_257, positions: int = 1024) -> int:
    """Of a GPT-2 with tied embeddings: d (V + T) + L (4 d^2 + 2 d f + 9 d + f) + 2 d.

    V tokens, T positions, L blocks of four d x d projections, an MLP of width f, their biases and two norms; one norm
    at the end.
    """
    d, f = width, mlp
    return d * (vocabulary + positions) + blocks * (4 * d**2 + 2 * d * f + 9 * d + f) + 2 * d


def parameters() -> pd.DataFrame:
    """The printed numbers of parameters beside the count from the shapes, in millions; outcome."""
    rows = []
    for figure, model, shape, label, digit in PARAMETERS:
        count = gpt2_parameters(*shape) / 1e6
        agree = tables.CONSISTENT if abs(count - label) <= digit / 2 else tables.INCONSISTENT
        rows.append({"figure": figure, "model": model, "printed": label, "count": count, "outcome": agree})
    return pd.DataFrame(rows)
