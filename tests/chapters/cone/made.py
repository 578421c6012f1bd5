"""Measurements with controls, and training runs, whose parts are known."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from made_condensations import made as condensed
from made_controls import gathered
from made_runs import Known

from decondense.records import Record

FEATURES, TOKENS, ROWS = 64, 24, 4  # the last row is before the final norm


def result(shared=0.0, own=0.0, texts=8, few=True, rare=0.0, seed=0, name="toy"):
    """Texts whose tokens share a vector of this length with all texts, and one of this length with their own text only.

    few
        The shared vector lies in one dimension; else in all of them.
    rare
        Tokens whose id comes once have this much more of the shared vector.
    """
    rng = np.random.default_rng(seed)
    direction = np.eye(FEATURES)[0] if few else np.full(FEATURES, FEATURES**-0.5)
    ids = [np.r_[np.zeros(16, dtype=int), 1 + np.arange(TOKENS - 16) + 100 * text] for text in range(texts)]
    states = []
    for of_text in ids:
        mine = rng.normal(size=FEATURES) / FEATURES**0.5
        noise = rng.normal(size=(ROWS, TOKENS, FEATURES)) / FEATURES**0.5
        along = shared + rare * (of_text > 0)
        states.append((noise + own * mine + along[:, None] * direction).astype(np.float64))
    controls = gathered(states, [list(map(int, of_text)) for of_text in ids])
    mu = controls.of_texts("within")
    return replace(condensed(mu, name), controls=controls)


def run(label, seed, late=0.2, loss=5.0, before=(0.3, 0.1), after=(0.3, 0.1)):
    """A run with these (between, excess) at every entry before the first step and after the last."""
    looks = [
        SimpleNamespace(controls={"between": np.full(5, b), "excess": np.full(5, e), "within": np.full(5, b + e)})
        for b, e in (before, after)
    ]
    record = Record(Path("none"), {"config": {}, "results": {"checkpoints": [0, 10]}}, None)
    return Made(label, seed, record=record, validation_loss=loss, looks=looks, mu=np.full((2, 5), late))


class Made(Known):
    """A run whose looks are made up."""

    looks = None
