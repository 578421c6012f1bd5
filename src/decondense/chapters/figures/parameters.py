"""The numbers of parameters on the figures, beside the count from the shapes of the models."""

import pandas as pd

from ...paper.rounding import CONSISTENT, INCONSISTENT

PARAMETERS = (  # figure, model, (width, blocks, width of the MLP), printed number in millions, its last printed digit
    *(("Fig. 3", f"MLP {mlp}", (768, 12, mlp), m, 1.0) for mlp, m in ((64, 69), (256, 73), (1024, 87), (4096, 143))),
    ("Fig. 2", "GPT2", (768, 12, 3072), 124, 1.0),
    ("Fig. 2", "GPT2-m", (1024, 24, 4096), 335, 1.0),
    ("Fig. S2", "GPT2-m", (1024, 24, 4096), 355, 1.0),
    ("Fig. 2", "GPT2-l", (1280, 36, 5120), 774, 1.0),
    ("Fig. 2", "GPT2-xl", (1600, 48, 6400), 1500, 100.0),
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
        agree = CONSISTENT if abs(count - label) <= digit / 2 else INCONSISTENT
        rows.append({"figure": figure, "model": model, "printed": label, "count": count, "outcome": agree})
    return pd.DataFrame(rows)
