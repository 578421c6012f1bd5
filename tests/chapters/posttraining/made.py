"""Runs as the page reads them, with numbers that a test chooses: three looks, at divergences of 0, 0.01 and 0.03."""

import numpy as np

from decondense.records import Record
from decondense.runs.run import Run

KL = (0.0, 0.01, 0.03)
TOKENS = (5, 3)  # of the neutral texts, of the model's own
SMALL = {  # what a run asks for that takes seconds
    "start": {"model": "pocket-small", "sources": [], "train_tokens": 2048, "warm_up": 60, "warm_up_rate": 3e-3},
    "data": {"largest": 4, "problems": 16, "held_out": 4},
    "training": {"steps": 2, "batch_size": 4, "completions": 2, "new_tokens": 3, "beta": 0.1, "learning_rate": 1e-3,
                 "looks": [1, 2]},
    "looked": {"corpus": "documentation", "texts": 3, "length": 12, "own_texts": 2, "opening": 4, "new_tokens": 5},
}  # fmt: skip


def run(folder, label="train", seed=0, within=(0.6, 0.6, 0.6), rank=(10.0, 10.0, 10.0), kl=KL, method="sft"):
    """One whose two late entries have these cosines within texts at its looks, half of them between; own text: 0.1."""
    looks = len(kl)
    text = np.zeros((looks, 2, 5))
    text[:, 0, 3:] = np.array(within)[:, None]
    text[:, 1] = text[:, 0] / 2
    own = np.full((looks, 2, 5), 0.1)
    path = folder / f"{method}-{label}-{seed}-{abs(hash((within, rank, kl)))}.npz"
    np.savez(path, text=text, own=own, tokens=np.array(TOKENS))
    course = [{"step": k, "kl_text": kl[k], "kl_answers": 2 * kl[k], "right": -5.0 + k, "rank": rank[k],
               "chance": 0.1 + k / 5, "rank_prompts": 3.0} for k in range(looks)]  # fmt: skip
    left_out = {"prompt too long": 0, "equal answers": 2}
    results = {"course": course, "no_gradient": [1], "left_out": left_out, "logged": []}
    results["logged"] = [
        {"step": k, "loss": 0.0} | ({"reward": k / 10, "frac_reward_zero_std": 0.75} if method == "grpo" else {})
        for k in range(4)
    ]
    content = {"config": {"method": method, "training": {"steps": 8}}, "results": results}
    return Run(label, seed, Record(path, content, path))


def runs(folder, plain, other, method="sft", **more):
    """Plain runs that end with these cosines within texts, and others with the loss, a seed each; a line from 0.6."""
    each = lambda end: (0.6, 0.6 + (end - 0.6) / 3, end)
    found = [run(folder, "train", seed, each(end), method=method, **more) for seed, end in enumerate(plain)]
    return found + [run(folder, "dispersion", seed, each(end), method=method, **more) for seed, end in enumerate(other)]
