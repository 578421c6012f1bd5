"""Runs with and without a loss, whose validation loss and geometry are known."""

from pathlib import Path

import numpy as np
from made_runs import Known

from decondense.records import Record

DROPOUT = {"resid_pdrop": 0.1}


class Made(Known):
    """A run whose looks are made up."""

    looks = None


def run(label, seed=0, loss=5.0, steps=600, regulariser=None, late=0.3, dropout=False, rate=5e-3, weight=None):
    config = {
        "loss": regulariser, "steps": steps, "shape": DROPOUT if dropout else {}, "learning_rate": rate,
        "weight": weight,
    }  # fmt: skip
    record = Record(Path("none"), {"config": config, "results": {}}, None)
    return Made(label, seed, record=record, validation_loss=loss, mu=np.full((2, 5), late))


def made(effect=-0.1, noise=0.002, seeds=8, late=-0.1):
    runs = []
    for seed in range(seeds):
        shift = noise * (-1) ** seed
        runs += [run("train", seed), run("train, 1200 steps", seed, loss=4.6, steps=1200)]
        runs += [run("a", seed, 5 + effect + shift, regulariser="cosine", late=0.3 + late + shift)]
        runs += [run("train, dropout", seed, 5.5, dropout=True)]
        runs += [run("b", seed, 5.5 + shift, regulariser="barlow", dropout=True, late=0.3)]
    return runs
