"""Training runs that need no training: made up, or those of the committed records."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from made_condensations import made as condensed

from decondense import records
from decondense.evaluate import Evaluation
from decondense.records import Record
from decondense.runs.run import Run

NO_CHECK = records.beside_record([("mu before training", 0.0, 0.0, 0.01)])


class Known(Run):
    """A run that is its label, its seed, and what is known of it."""

    mu = validation_loss = evaluation = curve = path = None

    def __init__(self, label, seed, **known):
        vars(self).update(label=label, seed=seed, **known)


def by_seed(values, of):
    """Runs with one number a seed: `values` by label, `of` what becomes of each number."""
    return [Known(label, seed, **of(value)) for label, row in values.items() for seed, value in enumerate(row)]


def scored(share, items=40):
    """What is known of a run with this share of the items of each of two tasks right, always the same ones first."""
    score = (np.arange(items) < round(share * items)).astype(float)
    table = pd.DataFrame({"task": np.repeat(["a", "b"], items), "score": np.tile(score, 2)})
    return {"evaluation": Evaluation(table.assign(logprob=table.score - 2.0), {})}


def committed(room, changes):
    """The runs behind the committed verdicts of a room, those verdicts, and the other records.

    `changes` as the room's notebook has them: each run gets the label whose changes it has, the one with the most.
    """
    said = json.loads((records.committed_folder() / f"verdicts-{room}.json").read_text())
    runs, others = [], []
    for record in (records.read(records.committed_folder() / name) for name in said["records"]):
        config = record.content["config"]
        labels = [label for label, change in changes.items() if "steps" in config and config | change == config]
        label = max(labels, key=lambda label: len(changes[label]), default=None)
        others.append(record) if label is None else runs.append(Run(label, config["seed"], record))
    runs.sort(key=lambda run: (list(changes).index(run.label), run.seed))
    return runs, said["claims"], others


def by_length(runs):
    """Runs of the fewest steps, and the longer ones, if any; the model before training belongs to both."""
    lengths = sorted({run.config["steps"] for run in runs} - {0})
    short, *longer = ([run for run in runs if run.config["steps"] in (0, length)] for length in lengths)
    return short, longer[0] if longer else []


def made(label, seed, losses, rate=1e-3, rho=None, width=None):
    """A run with a checkpoint for each loss; where nothing is said, rho falls by 0.1 a checkpoint from 1."""
    count = len(losses)
    content = {"config": {"learning_rate": rate, "shape": {"n_inner": width}}, "results": {"validation_loss": losses}}
    run = Run(label, seed, Record(Path("none"), content, None))
    rho = 1 - 0.1 * np.arange(count) if rho is None else rho
    vars(run)["path"] = pd.DataFrame(  # where a run keeps what it has read
        {
            "step": 10 * np.arange(count), "tokens": 100 * np.arange(count), "validation_loss": losses,
            "rho": rho, "tau": np.asarray(rho) - 0.05, "late_half": np.asarray(rho) / 2,
        }
    )  # fmt: skip
    return run


STEPS = np.array([0, 1, 10, 100])


def along(label, seed, rho, tau=None):
    """A run with these values at the four checkpoints `STEPS`, whose late-half mu falls."""
    rho = np.asarray(rho, dtype=float)
    found = made(label, seed, list(9.0 - STEPS / 50), rho=rho)
    path = found.path.assign(step=STEPS, tokens=512 * STEPS, tau=rho * 0.95 if tau is None else tau)
    vars(found)["path"] = path.assign(late_half=0.5 - STEPS / 1000 + seed / 100)
    return found


def of_family(mu, **known):
    """Runs of `paper.family` with this mu: by label, seed and text (the first is their own) one profile."""
    return [_of_family(label, seed, texts, known) for label, seeds in mu.items() for seed, texts in enumerate(seeds)]


def _of_family(label, seed, texts, known):
    looks = {name: condensed([profile], name) for name, profile in texts.items()}
    own, *others = looks
    record = Record(Path("none"), {"config": {"corpus": own, "elsewhere": others}}, None)
    elsewhere = {name: looks[name] for name in others}
    return Known(label, seed, record=record, look=lambda: looks[own], elsewhere=elsewhere, **known)
