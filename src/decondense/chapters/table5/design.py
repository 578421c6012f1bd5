"""The design of the runs: the pilot that came before, and what can be seen."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ... import stats
from ...paper import designs
from ...runs import PreTraining, grid, tables
from ...runs.run import Run
from .published import published_gain
from .quantities import ACCURACY, CONDITIONS, QUANTITIES

DESIGN = "table5"  # of `paper.designs`

# --- the pilot, and what the design can see ---------------------------------------------------------------------------

PILOT_SHAPES = {
    "GPT-2": {"architecture": "GPT2Config", "n_embd": 64, "n_layer": 12, "n_head": 4},
    "Qwen3": {
        "architecture": "Qwen3Config", "hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 12,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True,
    },
}  # fmt: skip
PILOT_CHANGES = {
    "train": {},
    "dispersion": {"loss": "dispersion", "weight": 0.1},
    "dispersion, weight 1": {"loss": "dispersion", "weight": 1.0},
}
PILOT_SEEDS = (0, 1, 2, 3, 4)


def pilot(name: str) -> PreTraining:
    """What the pilot runs of one of `PILOT_SHAPES` share: 0.6 million tokens, and one learning rate for all."""
    return PreTraining(
        experiment="table5", shape=PILOT_SHAPES[name], corpus="documentation", steps=600, batch_size=4, length=256,
        learning_rate=3e-3, schedule="linear", checkpoints=10, texts=8, text_length=256, held_out=32,
        tasks={"pocket_cloze": 200, "pocket_continuation": 200}, sources=("local", "pypi"),
    )  # fmt: skip


def pilot_runs(names: Sequence[str]) -> dict[str, list[Run]]:
    """The pilot runs of some of `PILOT_SHAPES`, by name; the repository keeps their records."""
    return {name: grid.runs(pilot(name), PILOT_CHANGES, PILOT_SEEDS) for name in names}


def power(earlier: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """What the design can see (`designs.power`), and beside it what it could see of the accuracy, where a pilot says.

    The accuracy's spread is that of the seeds of the first model of the pilot.
    """
    table = designs.power(DESIGN)
    if not earlier:
        return table
    design, runs = designs.load(DESIGN), next(iter(earlier.values()))
    differences = tables.by_seed(runs, QUANTITIES[ACCURACY]).loc[list(CONDITIONS)].diff().iloc[-1]
    spread = float(differences.std(ddof=1))
    gain = published_gain()
    row = {"unit": design.unit, "n": design.n, "spread": spread}
    row |= {"detectable": stats.detectable_with(spread, design.n), "smallest that counts": gain, "published": gain}
    row |= {"because": "the published gain; not tested, since these benchmarks are at their floor"}
    return pd.concat([table, pd.DataFrame([row], index=[ACCURACY])])
