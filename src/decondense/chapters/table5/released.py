"""What each difference of the released pre-training code does to small models, by a design fixed before the runs."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...paper import designs
from ...paper.verdicts import CONTRADICTED, REPRODUCED, word_of_no_change
from ...runs import PreTraining, grid, tables
from ...runs.run import Run
from .quantities import LATE, LOSS, QUANTITIES

DESIGN = "released"  # of `paper.designs`
TEXT = {"loss": "dispersion", "weight": 0.1}  # as the paper has it
COUNTS = {REPRODUCED: "no", CONTRADICTED: "yes"}  # whether a change counts, by `word_of_no_change`


def shared(**changes) -> PreTraining:
    """What the runs share: 0.2 million tokens in batches of four sequences, accumulated one by one."""
    usual = {
        "shape": {"architecture": "GPT2Config", "n_embd": 32, "n_layer": 6, "n_head": 4}, "corpus": "documentation",
        "steps": 200, "batch_size": 1, "accumulation": 4, "length": 256, "learning_rate": 5e-3, "schedule": "linear",
        "checkpoints": 3, "texts": 8, "text_length": 256, "held_out": 32, "sources": ("local", "pypi"),
    }  # fmt: skip
    return PreTraining(experiment="released", **usual | changes)


def changes(accumulation: int) -> dict[str, dict]:
    """The conditions: plain, dispersion as the paper's text has it, and with each difference of the released code."""
    switches = {
        "untied": {"shape": {"tie_word_embeddings": False}},
        "undivided": {"weight": TEXT["weight"] * accumulation},
        "clamp": {"clamp": 0.01},
        "acute": {"clamp": 1e-4, "acute": True},
        "block_outputs": {"layers": "block_outputs"},
    }
    return {"train": {}, "dispersion": TEXT, **{name: TEXT | change for name, change in switches.items()}}


def runs(seeds: Sequence[int], given: Mapping) -> list[Run]:
    """The runs, each with its condition as label; `given` changes what they share."""
    base = shared(**given)
    return grid.runs(base, changes(base.accumulation), seeds)


def against_the_text(found: Sequence[Run]) -> pd.DataFrame:
    """Each condition minus dispersion as the paper's text has it, seed by seed: late-half μ and validation loss.

    Columns: difference; `low`, `high`, its 95 % interval; `smallest`, the smallest change that counts, by the design;
    `counts`: "no" where the interval lies within it on both sides, "yes" where it lies beyond, else "cannot tell".
    Nothing corrects for so many rows. Index: condition, quantity.
    """
    design, rows = designs.load(DESIGN), []
    smallest = {LATE: abs(design.primary.smallest), LOSS: abs(design.secondary.smallest)}
    for label in (label for label in tables.first(found) if label != "dispersion"):
        for quantity, margin in smallest.items():
            one = tables.paired(found, label, "dispersion", QUANTITIES[quantity])
            word = word_of_no_change(one.interval, margin)
            rows.append((label, quantity, one.value, *one.interval, margin, COUNTS.get(word, word)))
    names = ["condition", "quantity"]
    return pd.DataFrame(rows, columns=[*names, "difference", "low", "high", "smallest", "counts"]).set_index(names)


def in_words(changed: pd.DataFrame) -> dict[str, str]:
    """The rows of `against_the_text` as text by name: `released code, acute, late-half μ: +0.012 [-0.004, +0.028]`."""
    return {
        f"released code, {label}, {quantity}": f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
        for (label, quantity), row in changed.iterrows()
    }
