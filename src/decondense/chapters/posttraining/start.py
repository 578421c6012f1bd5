"""What all runs of one model begin with: the model itself, what the looks read, and the rows it is trained on."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ... import corpora, models
from ...base.extras import require
from . import arithmetic, looks, methods, problems
from .arithmetic import Sum


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
    config = {
        "method": methods.SFT,
        "training": training,
        "seed": problems.HELD_OUT_SEED,
        "loss": None,
        "weight": None,
    } | {"data": data}
    rows = problems.training(data, problems.HELD_OUT_SEED + 1, start["sources"], held_out)
    trained = copy.deepcopy(model)  # trainers of TRL replace the forward method, which later copies must not inherit
    methods.train(trained, tokenizer, rows, config, [])
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
