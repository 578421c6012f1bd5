"""What a measurement costs beyond the forward pass, here and in the peer package of the paper's authors."""

import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import measurement, metrics, records
from ..base import timing
from . import child

PEER = "embedding-condensation==2.0"
SHAPES = {  # name -> layers and features of the GPT-2 family
    "gpt2": (12, 768),
    "gpt2-medium": (24, 1024),
    "gpt2-large": (36, 1280),
    "gpt2-xl": (48, 1600),
}
OURS, THEIRS = ("mean cosine", "pooled", "averaged"), "matrices"
PEERS_FORWARD = "forward, peer"
GIVEN, REAL = "given stream", "model"
NUMBERS = {"ours": "averaged", "peer": THEIRS}
AGREEING = 10  # texts on which the numbers of both sides are compared
ALONE, TOGETHER = "one by one", "together"


class Agreement(NamedTuple):
    """Largest differences of the two packages on the same weights and token ids.

    `histogram`: share of the pairs that lie in another bin of the averaged histogram, at the worst entry.
    """

    mu: float
    rho: float
    tau: float
    histogram: float


def given(layers: int, features: int, texts: int, peer: str, **how) -> records.Record:
    """A residual stream of this shape that is given, so that the forward pass costs nothing. See `compared`."""
    config = {"kind": GIVEN, "layers": layers, "features": features, "texts": texts}
    return compared(config, lambda folder: {"layers": layers, "features": features}, peer, **how)


def real(layers: int, features: int, texts: int, peer: str, **how) -> records.Record:
    """GPT-2 of this shape with random weights, saved once and loaded by both sides. See `compared`."""

    def saved(folder: str) -> str:
        gpt2(layers, features).save_pretrained(folder)
        return folder

    config = {"kind": REAL, "layers": layers, "features": features, "texts": texts}
    return compared(config, saved, peer, **how)


def gpt2(layers: int, features: int):
    """GPT-2 without its head, with random weights that depend on the shape alone."""
    import torch
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    return GPT2Model(GPT2Config(n_layer=layers, n_embd=features, n_head=max(1, features // 64)))


def compared(
    config: dict, make: Callable[[str], dict | str], peer: str, *, tokens: int = 512,
    rounds: int = 5, threads: int = 1, seed: int = 0,
) -> records.Record:  # fmt: skip
    """Record time, peak memory and numbers of both sides on one model, in turns within a round.

    peer
        The Python of an environment that has `PEER`.

    The results hold `rows`, one a round, of `timing.Cost` by case, and the `agreement` on the first ten texts. Each
    side is one process that loads the model once and warms up on one text; times are taken inside it.
    """
    config = config | {"tokens": tokens, "rounds": rounds, "threads": threads, "seed": seed, "peer": PEER}

    def compute() -> tuple[dict, None]:
        with TemporaryDirectory() as folder, ExitStack() as stack:
            model = make(folder)
            start = lambda python: stack.enter_context(
                timing.Child([python, "-P", child.__file__], OMP_NUM_THREADS=str(threads))
            )
            sides = {"ours": start(sys.executable), "peer": start(peer)}
            how = {"model": model, "tokens": tokens, "seed": seed, "threads": threads}
            versions = {side: process.ask(do="load", texts=config["texts"], **how) for side, process in sides.items()}
            ask = lambda side, case, texts: timing.Cost(*sides[side].ask(do=case, texts=texts)["cost"])
            every = {case: ("ours", case) for case in ("forward", *OURS)}
            every |= {PEERS_FORWARD: ("peer", "forward"), THEIRS: ("peer", THEIRS)}
            timing.interleaved({name: partial(ask, *case, 1) for name, case in every.items()}, 1, _asked, warm=0)
            cases = {name: partial(ask, *case, config["texts"]) for name, case in every.items()}
            rows = timing.interleaved(cases, rounds, _asked, warm=0)
            few = min(AGREEING, config["texts"])
            found = [sides[side].ask(do="numbers", texts=few, case=case) for side, case in NUMBERS.items()]
            return {"rows": rows, "agreement": agreement(*found)._asdict(), "versions": versions}, None

    return records.run("bench-measurement", config, compute, __name__)


def _asked(case: Callable[[], timing.Cost]) -> timing.Cost:
    return case()  # the other process has measured it


def agreement(ours: dict, theirs: dict) -> Agreement:
    """Of two answers of `child.numbers`."""
    a, b = (np.array(side["mu"]) for side in (ours, theirs))
    trend = [abs(float(f(a)) - float(f(b))) for f in (metrics.spearman, metrics.kendall)]
    apart = np.array(ours["density"]) - np.array(theirs["density"])
    return Agreement(float(np.abs(a - b).max()), *trend, float(np.abs(apart).sum(1).max() / apart.shape[1]))


def short_texts(
    layers: int, features: int, tokens: int, texts: int, *, rounds: int = 5, threads: int = 1, seed: int = 0
) -> records.Record:
    """Record the cost of measuring many short texts one by one, and together as `measure` does; `rows` as `compared`.

    The texts have from half of `tokens` to `tokens` tokens. `mu`: the largest difference between the two ways.
    """
    config = {
        "layers": layers, "features": features, "tokens": tokens, "texts": texts, "rounds": rounds, "threads": threads,
        "seed": seed,
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        import torch

        torch.set_num_threads(threads)
        rng, model = np.random.default_rng(seed), gpt2(layers, features)
        ids = [rng.integers(0, child.ROWS, n).tolist() for n in rng.integers(tokens // 2, tokens + 1, texts)]
        ways = {ALONE: partial(_mu, model, ids, 0), TOGETHER: partial(_mu, model, ids, measurement.BATCH_TOKENS)}
        rows = timing.interleaved(ways, rounds)
        return {"rows": rows, "mu": float(np.abs(ways[ALONE]() - ways[TOGETHER]()).max())}, None

    return records.run("bench-short-texts", config, compute, __name__)


def _mu(model, ids: list[list[int]], batch_tokens: int) -> np.ndarray:
    how = {"max_length": max(map(len, ids)), "histogram": None, "batch_tokens": batch_tokens, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that texts are shorter than the longest is meant here
        return measurement.measure(model, None, ids, **how).mu_per_text


# --- reading --------------------------------------------------------------------------------------------------------


def beyond(record: dict) -> tuple[pd.DataFrame, pd.Series]:
    """Seconds beyond the forward pass, a row a round, and MiB beyond it: a column, or an entry, a case of each side."""
    rows = record["results"]["rows"]
    time, memory = timing.seconds(rows), timing.mebibytes(rows)
    forward = dict.fromkeys(OURS, "forward") | {THEIRS: PEERS_FORWARD}
    seconds = pd.DataFrame({case: time[case] - time[bare] for case, bare in forward.items()})
    return seconds, pd.Series({case: memory[case] - memory[bare] for case, bare in forward.items()})
