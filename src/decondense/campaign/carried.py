"""What mid-training needs beside token files on a machine without a network: the model's weights, and benchmarks."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from .. import evaluate, models
from ..base.extras import require

SHARD = "57MB"  # of the weights, as `save_pretrained` cuts them; a matrix that is larger has one for itself
ITEMS = 500  # of a benchmark, the first; mmlu has as many of each subject as give so many together, about
SUBJECTS = 57
HUB_ONLY = "anli_r2"  # the paper's tenth, whose data are on the hub alone
LIMITS = {name: -(-ITEMS // SUBJECTS) if name == "mmlu" else ITEMS for name in evaluate.PAPER_TASKS if name != HUB_ONLY}


def beside(name: str, sources: Sequence[str]) -> tuple[Callable[[Path], None], dict]:
    """(what writes it into the folder of the token files, what `tokens.json` says of it) for a model by name.

    The weights are rounded to bfloat16, half the bytes of float32 and the precision in which SmolLM2 was published.

    Raises
        ImportError: the extra `evaluate` is not installed.
        What `models.load` raises.
    """
    require(*evaluate.PACKAGES, extra=evaluate.EXTRA)
    loaded = models.load(name, device="cpu", sources=sources)
    return partial(_write, loaded, sources), {"model": loaded.provenance}


def _write(loaded: models.Loaded, sources: Sequence[str], folder: Path) -> None:
    from ..evaluate import packed, packing

    benchmarks = packing.pack(loaded.model, loaded.tokenizer, LIMITS, sources=sources)
    (folder / packed.FILE).write_bytes(benchmarks)
    loaded.model.to(torch.bfloat16).save_pretrained(folder, max_shard_size=SHARD)
