"""Runs from one start by SFT, DPO or GRPO, with or without a loss on the states, looked at every few steps."""

import copy
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from transformers import TrainerCallback

from ... import records
from ...base import machine
from ...base.errors import unknown
from . import arithmetic, looks, methods, problems
from .arithmetic import Sum
from .methods import GRPO, METHODS
from .start import Start, rewards_of_start, rows_of, start_of

LOGGED = ("loss", "loss_regulariser", "reward", "frac_reward_zero_std")


def run(
    method: str, start: Mapping, data: Mapping, training: Mapping, looked: Mapping, seed: int,
    loss: str | None = None, weight: float = 0.1,
):  # fmt: skip
    """The record of one run; a committed one is taken where there is one.

    start
        `model`, `sources` and `train_tokens` as in `models.load`; `warm_up`, steps of SFT on other problems that every
        run begins with, for a model that would answer none, and their `warm_up_rate`.
    data
        As in `problems.maker`; the seed draws those of a run.
    training
        `steps`, `batch_size` (rows of SFT, two rows a pair of DPO, completions of GRPO), `completions` of one prompt
        in GRPO, `new_tokens` of an answer at most, `learning_rate` of AdamW, constant, and `beta` of DPO; `looks`, the
        steps after which the model is looked at.
    looked
        `corpus` of the neutral texts, how many `texts` of what `length` in tokens; `own_texts`, their `opening` and
        `new_tokens` as in `looks.Fixed`.

    In the results: `course`, a row for each look with `step` and what `looks.look` has; `logged`, what the
    trainer logged at each step; `left_out`; `no_gradient`, the steps of GRPO in which no group had two rewards.
    Arrays: `text` and `own` (looks, within and between, entries), `tokens` behind both.

    Raises
        ValueError: an unknown method, data set or loss; a reward that is the same for all answers of the start; a look
            after the last step or none at it; what `usable`, `refuse_too_long` and the maker of the rows raise.
        ImportError: TRL is missing.
    """
    name, config = _asked(method, start, data, training, looked, seed, loss, weight)
    return records.run(name, config, lambda: _trained(config), __name__, surroundings=_surroundings(), committed=True)


def find(
    method: str, start: Mapping, data: Mapping, training: Mapping, looked: Mapping, seed: int,
    loss: str | None = None, weight: float = 0.1,
):  # fmt: skip
    """The record that `run` would read, or `None` where it would train."""
    name, config = _asked(method, start, data, training, looked, seed, loss, weight)
    return records.find(name, config, __name__, surroundings=_surroundings(), committed=True)


def _asked(
    method: str, start: Mapping, data: Mapping, training: Mapping, looked: Mapping, seed: int,
    loss: str | None, weight: float,
) -> tuple[str, dict]:  # fmt: skip
    """The name of a run among the records, and its configuration."""
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    problems.maker(data)
    if not training["looks"] or sorted(set(training["looks"]))[-1] != training["steps"]:
        raise ValueError(f"The last look must be after the last step, {training['steps']}; got {training['looks']}.")
    asked = {"method": method, "start": dict(start), "data": dict(data), "training": dict(training)}
    config = asked | {"looked": dict(looked), "loss": loss, "weight": weight if loss else None, "seed": seed}
    return f"after-pretraining-{method}-{loss or 'train'}", config


def _surroundings() -> dict:
    versions = {name: records.version(name) for name in ("torch", "transformers", "trl")}
    return {"versions": versions, "device": machine.device()}


def _trained(config: Mapping) -> tuple[dict, bytes]:
    start = start_of(config)
    if config["method"] == GRPO:
        arithmetic.refuse_constant(rewards_of_start(start, config["data"]))
    rows, left_out = rows_of(config, start)
    course, logged = courses(start, rows, config)
    end = [{key: row[key] for key in LOGGED if key in row} | {"step": row["step"]} for row in logged if "loss" in row]
    arrays = {name: np.stack([look[name] for _, look in course]).astype(np.float32) for name in ("text", "own")}
    tokens = np.array([config["looked"]["length"], config["looked"]["new_tokens"]])
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays, tokens=tokens)
    results = {
        "course": [numbers for numbers, _ in course], "logged": end, "left_out": dict(left_out),
        "no_gradient": [row["step"] for row in end if row.get("frac_reward_zero_std") == 1],
        "model": start.about, "trl": records.version("trl"),
        "rewards_of_start": rewards_of_start(start, config["data"]),
    }  # fmt: skip
    return results, buffer.getvalue()


def courses(start: Start, rows: Sequence[Sum], config: Mapping) -> tuple[list[tuple[dict, dict]], list[dict]]:
    """Train a copy of the start; (numbers with their step, arrays) of each look, the start's first; what was logged."""
    course = [({"step": 0} | start.numbers, start.arrays)]
    model = copy.deepcopy(start.model)
    watch = _Watch(start, config["training"]["looks"], course)
    logged = methods.train(model, start.tokenizer, rows, config, [watch])
    return course, logged


class _Watch(TrainerCallback):
    """Looks after some of the steps, in evaluation mode, and leaves the model as it was."""

    def __init__(self, start: Start, after: Sequence[int], course: list):
        self.start, self.after, self.course = start, set(after), course

    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step in self.after:
            was, _ = model.training, model.eval()
            numbers, arrays, _ = looks.look(model, self.start.fixed, self.start.predictions)
            model.train(was)
            self.course.append(({"step": state.global_step} | numbers, arrays))


def check(record: records.Record):
    """A run up to its first look made again now, beside its record.

    The tolerances leave room for another processor: a quarter of a divergence, a twentieth of the log-probability,
    0.005 of a mean cosine.
    """
    config, there = record.content["config"], record.content["results"]["course"][1]
    start = start_of(config)
    training = config["training"] | {"steps": there["step"], "looks": [there["step"]]}
    rows, _ = rows_of(config, start)
    course, _ = courses(start, rows, config | {"training": training})
    with np.load(record.arrays) as kept:
        apart = [float(np.abs(kept["text"][k] - course[k][1]["text"]).max()) for k in range(2)]
    now, step = course[1][0], there["step"]
    near = lambda name, share: (f"{name}, step {step}", there[name], now[name], share * abs(there[name]))
    cosines = [(f"cosines: largest difference, step {k}", 0.0, d, 0.005) for k, d in zip((0, step), apart, strict=True)]
    return records.beside_record([near("kl_text", 0.25), near("kl_answers", 0.25), near("right", 0.05), *cosines])
