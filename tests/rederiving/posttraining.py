"""Runs by SFT, DPO and GRPO compared at one divergence from the start, from the cosines that their records keep."""

import numpy as np

from .mathematics import last_of, with_interval

AT = 0.001  # nats a token, as the design says


def posttraining(claim, used):
    text = claim["claim"]
    if text.startswith("every check run"):
        return
    method = text.split()[0].lower()
    runs = [run for run in used if run.config["method"] == method and run.seed < 100]
    plain, spread = (of(runs, loss) for loss in (None, "dispersion"))
    if "rank" in text:
        values = [at(run, rank) / rank(run)[0] - 1 for run in plain]
    elif "with dispersion" in text:
        values = [at(other, late) - at(run, late) for run, other in zip(plain, spread, strict=True)]
    else:
        values = [at(run, late) - late(run)[0] for run in plain]
    yield "", claim["here"], with_interval(values)


def of(runs, loss):
    return sorted((run for run in runs if run.config["loss"] == loss), key=lambda run: run.seed)


def late(run):
    """Mean cosine of neutral text with the diagonal, late half, at each look."""
    within, tokens = run.arrays["text"][:, 0].astype(float), run.config["looked"]["length"]
    return last_of((1 + (tokens - 1) * within) / tokens)


def rank(run):
    return np.array([look["rank"] for look in run.results["course"]])


def at(run, value):
    """The value where the run came so far for the first time, on a line between two looks."""
    far = [look["kl_text"] for look in run.results["course"]]
    k = next(k for k, each in enumerate(far) if each >= AT)
    return float(np.interp(AT, far[k - 1 : k + 1], value(run)[k - 1 : k + 1]))
