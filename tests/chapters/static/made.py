"""What records of the page hold, made up: embeddings and models whose numbers are known."""

import numpy as np

from decondense.chapters.static import rows, tables


def embedding(cosine=0.3, tie=0.4, gain=0.1, white=0.0, words=30, spread=0.01, seed=0):
    rng = np.random.default_rng(seed)
    around = lambda value, n: (value + spread * rng.standard_normal(n)).tolist()
    every = rows.categories()
    names = [name for _, group in every.groupby("category") for name in group.word[: words // 10]]
    before = rng.random(words)
    precision = {
        cure: before + (gain + spread * rng.standard_normal(words)) * (cure != "none") for cure in tables.CURES
    }
    return tables.embedding(
        {
            "rows": 800, "features": 24, "chance": 0.1, "tie": around(tie, 20),
            "cosine": {c: around(cosine if c == "none" else white, 10) for c in tables.CURES},
            "rank": dict.fromkeys(tables.CURES, 12.0),
            "precision": {cure: dict(zip(names, values.tolist(), strict=True)) for cure, values in precision.items()},
            "points": {"frequency": [5, 50, 500], "cosine": [0.1, 0.2, 0.3]},
        }
    )  # fmt: skip


def model(mu=0.05, rank=1.5, rise=1.0, beyond=0.5, windows=6, spread=0.01, seed=0):
    rng = np.random.default_rng(seed)
    noise = lambda: spread * rng.standard_normal()
    rows = [
        {"entry": e, "cure": c, "window": w, "mu": noise() + (0.5 if c == "none" else mu),
         "rank": 10 + noise() if c == "none" else 10 * rank + noise()}
        for e in range(5) for c in tables.CURES for w in range(windows)
    ]  # fmt: skip
    losses = []
    for w in range(windows):
        plain = 3 + rng.random()
        changes = {"as it is": 0, "without the mean": rise, "random vector": rise - beyond}
        losses += [{"window": w, "change": c, "loss": plain + by + noise()} for c, by in changes.items()]
    return tables.entries({"entries": rows, "losses": losses, "middle": 2})
