"""Runs from one start by SFT, DPO or GRPO, with or without a loss on the states, looked at every few steps."""

import copy
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import lru_cache
from io import BytesIO, StringIO
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from transformers import PrinterCallback, TrainerCallback, set_seed
from transformers.utils import logging

from ... import corpora, models, records
from ...base import machine
from ...base.errors import unknown
from ...base.extras import need, require
from ...trainers import DispersionMixin
from . import arithmetic, looks, problems
from .arithmetic import Sum

SFT, DPO, GRPO = METHODS = ("sft", "dpo", "grpo")
LOGGED = ("loss", "loss_regulariser", "reward", "frac_reward_zero_std")


class Start(NamedTuple):
    """What all runs begin with: the model, its tokenizer, what the looks read, and the first of them."""

    model: object
    tokenizer: object
    about: dict
    fixed: looks.Fixed
    held_out: Sequence[Sum]
    numbers: dict
    arrays: dict
    predictions: looks.Predictions


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


def start_of(config: Mapping) -> Start:
    """What a run with this configuration begins with; the last one is held.

    Raises
        ImportError: TRL is missing; said before anything is loaded.
    """
    require("trl", "datasets", extra="tune")
    parts = {name: config[name] for name in ("start", "data", "looked")}
    return _start(json.dumps(parts | {"new_tokens": config["training"]["new_tokens"]}, sort_keys=True))


@lru_cache(maxsize=1)
def _start(asked: str) -> Start:
    asked = json.loads(asked)
    start, data, how = asked["start"], asked["data"], asked["looked"]
    found = models.load(start["model"], sources=start["sources"], train_tokens=start["train_tokens"])
    model, tokenizer = found.model, found.tokenizer
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    held_out = problems.held_out(data, start["sources"])
    arithmetic.refuse_too_long(held_out, *_room(model, tokenizer), asked["new_tokens"])
    if start["warm_up"]:
        _warm_up(model, tokenizer, start, data, held_out)
    corpus = corpora.load(how["corpus"], start["sources"])
    texts = corpora.sample_texts(corpus, how["texts"], min_words=how["length"], max_words=2 * how["length"])
    fixed = looks.fixed_of(model.eval(), tokenizer, texts, held_out, how, asked["new_tokens"])
    about = found.provenance | {"corpus": {"name": corpus.name, "source": corpus.source, "sha256": corpus.sha256}}
    about |= problems.maker(data).about(start["sources"])
    return Start(model, tokenizer, about, fixed, held_out, *looks.look(model, fixed, None))


def _warm_up(model, tokenizer, start: Mapping, data: Mapping, held_out: Sequence[Sum]) -> None:
    training = {"steps": start["warm_up"], "learning_rate": start["warm_up_rate"], "batch_size": 16, "looks": []}
    config = {"method": SFT, "training": training, "seed": problems.HELD_OUT_SEED, "loss": None, "weight": None}
    rows = problems.training(data, problems.HELD_OUT_SEED + 1, start["sources"], held_out)
    trained = copy.deepcopy(model)  # trainers of TRL replace the forward method, which later copies must not inherit
    _train(trained, tokenizer, rows, config, [])
    model.load_state_dict(trained.state_dict())


def rows_of(config: Mapping, start: Start) -> tuple[list[Sum], Mapping[str, int]]:
    """The rows of a run: none of those held out, none that cannot be used; and how many were left out."""
    drawn = problems.training(config["data"], config["seed"], config["start"]["sources"], start.held_out)
    return arithmetic.usable(drawn, *_room(start.model, start.tokenizer), config["training"]["new_tokens"])


def _room(model, tokenizer) -> tuple[Callable[[str], int], int]:
    """The tokens of a text, and how many the model reads."""
    return lambda text: len(tokenizer(text)["input_ids"]), model.config.max_position_embeddings


def rewards_of_start(start: Start, data: Mapping) -> list[float]:
    """The rewards of the start's own answers to the held-out prompts."""
    texts = [start.tokenizer.decode(row[n:]) for row, n in zip(start.fixed.answered, start.fixed.asked, strict=True)]
    return problems.maker(data).rewards(texts, [each.answer for each in start.held_out])


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
    logged = _train(model, start.tokenizer, rows, config, [watch])
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


def _train(model, tokenizer, rows: Sequence[Sum], config: Mapping, callbacks: list) -> list[dict]:
    """One training of the model itself by a trainer of TRL with the mixin; its log."""
    trl, datasets = need("trl", extra="tune"), need("datasets", extra="tune")
    how, method = config["training"], config["method"]
    kind = {SFT: trl.SFTTrainer, DPO: trl.DPOTrainer, GRPO: trl.GRPOTrainer}[method]
    settings = {SFT: trl.SFTConfig, DPO: trl.DPOConfig, GRPO: trl.GRPOConfig}[method]
    regularised = type("Regularised", (DispersionMixin, kind), {})
    more = {"reward_funcs": problems.maker(config["data"]).rewards} if method == GRPO else {}
    loss = {"loss": config["loss"], "weight": config["weight"], "subsample": None}
    with TemporaryDirectory() as folder, _quiet(datasets):
        args = settings(folder, **_common(how, config["seed"]), **_own(method, how))
        set_seed(config["seed"])
        trainer = regularised(
            model=model, args=args, train_dataset=datasets.Dataset.from_list(_columns(method, rows)),
            processing_class=tokenizer, callbacks=callbacks, **loss, **more,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return trainer.state.log_history


def _columns(method: str, rows: Sequence[Sum]) -> list[dict]:
    """What the trainer of the method reads of each row."""
    if method == SFT:
        return [{"prompt": row.prompt, "completion": row.chosen} for row in rows]
    if method == DPO:
        return [{"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected} for row in rows]
    return [{"prompt": row.prompt, "answer": row.answer} for row in rows]


def _common(how: Mapping, seed: int) -> dict:
    return {
        "max_steps": how["steps"], "learning_rate": how["learning_rate"], "lr_scheduler_type": "constant",
        "seed": seed, "report_to": "none", "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True,
        "gradient_checkpointing": False, "bf16": False, "use_cpu": machine.device() == "cpu",
    }  # fmt: skip


def _own(method: str, how: Mapping) -> dict:
    """Settings of one method; all read as many rows in a step."""
    size = how["batch_size"]
    if method == SFT:
        return {"per_device_train_batch_size": size}
    if method == DPO:  # the start's log-probabilities are taken before the first step, so no second model is held
        return {"per_device_train_batch_size": size // 2, "beta": how["beta"], "precompute_ref_log_probs": True}
    return {
        "per_device_train_batch_size": size, "num_generations": how["completions"], "beta": 0.0,
        "max_completion_length": how["new_tokens"],
    }  # fmt: skip


@contextmanager
def _quiet(datasets):
    """Without bars, and without the trainers' notes about themselves."""
    shown, level = datasets.are_progress_bars_disabled(), logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if not shown:
            datasets.enable_progress_bars()


def check(record: records.Record):
    """A run up to its first look made again now, beside its record.

    The tolerances leave room for another processor: a twentieth of the divergence, 0.005 of a mean cosine.
    """
    config, there = record.content["config"], record.content["results"]["course"][1]
    start = start_of(config)
    training = config["training"] | {"steps": there["step"], "looks": [there["step"]]}
    rows, _ = rows_of(config, start)
    course, _ = courses(start, rows, config | {"training": training})
    with np.load(record.arrays) as kept:
        apart = [float(np.abs(kept["text"][k] - course[k][1]["text"]).max()) for k in range(2)]
    now, step = course[1][0], there["step"]
    near = lambda name: (f"{name}, step {step}", there[name], now[name], max(0.002, 0.05 * abs(there[name])))
    cosines = [(f"cosines: largest difference, step {k}", 0.0, d, 0.005) for k, d in zip((0, step), apart, strict=True)]
    return records.beside_record([near("kl_text"), near("kl_answers"), near("right"), *cosines])
