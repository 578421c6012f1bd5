"""Small models trained on data that can only be memorised: the bits they hold, and their geometry at the end."""

from collections.abc import Iterator, Mapping
from itertools import islice

import torch
import transformers
from jaxtyping import Int
from torch import Tensor

from ... import capacity, corpora, losses, measure, records, surveys
from ...base import machine
from ...base.files import sha256
from ...trainers.schedule import order, rate
from ...trainers.step import step
from . import biographies

PUBLISHED = 3.6  # bits per parameter that random tokens fill, arXiv 2505.24832
LOOKS = (1 / 30, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)  # of the steps: when the bits are counted
WARM_UP = 0.02  # of the steps; then the rate falls linearly to 0
DECAYS = (0.9, 0.99)  # of Adam's moments
RANDOM, LIVES = "random", "lives"  # kinds of data


def run(data: Mapping, shape: Mapping, training: Mapping, seed: int, loss: str | None = None, weight: float = 0.1):
    """The record of one model, trained from new weights on one data set; a committed one is taken where there is one.

    data
        `kind` RANDOM with `rows`, `length` and `vocabulary`, or LIVES with `people`. The seed draws it, the first
        weights and the order of the rows.
    shape
        Arguments of `transformers.GPT2Config`: no dropout; vocabulary and context are those of the data.
    training
        `steps`, `batch_size` (rows), `learning_rate` (of AdamW without weight decay), and `texts`: how many rows the
        geometry is measured on after the last step, with its controls.

    In the results: `parameters`; `course`, the step and what is held after it (`bits`, or `names` and `facts`), at
    `LOOKS`; `memorisable`; what `surveys.summary` has.

    Raises
        ValueError: an unknown kind of data or loss, no step; what `random_rows` and `people` raise.
    """
    name, config = _asked(data, shape, training, seed, loss, weight)
    return records.run(name, config, lambda: _trained(config), __name__, surroundings=surroundings(), committed=True)


def find(data: Mapping, shape: Mapping, training: Mapping, seed: int, loss: str | None = None, weight: float = 0.1):
    """The record that `run` would read, or `None` where it would train."""
    name, config = _asked(data, shape, training, seed, loss, weight)
    return records.find(name, config, __name__, surroundings=surroundings(), committed=True)


def _asked(data: Mapping, shape: Mapping, training: Mapping, seed: int, loss: str | None, weight: float):
    asked = {"data": dict(data), "shape": dict(shape), **training, "loss": loss, "weight": weight if loss else None}
    return f"capacity-{data['kind']}-{loss or 'train'}", asked | {"seed": seed}


def surroundings() -> dict:
    """What decides a run beside its configuration: the versions and the device."""
    return {"versions": {name: records.version(name) for name in ("torch", "transformers")}, "device": machine.device()}


def rows_of(data: Mapping, seed: int) -> Int[Tensor, "rows columns"]:
    """The data set of a run."""
    if data["kind"] == RANDOM:
        return capacity.random_rows(data["rows"], data["length"], data["vocabulary"], seed)
    if data["kind"] == LIVES:
        return biographies.rows(biographies.people(data["people"], seed))
    raise ValueError(f"data must be of the kind {RANDOM!r} or {LIVES!r}, got {data['kind']!r}.")


def vocabulary(data: Mapping) -> int:
    """Ids of the data, the start token among them."""
    return data["vocabulary"] + 1 if data["kind"] == RANDOM else biographies.VOCABULARY


def model_of(data: Mapping, shape: Mapping, columns: int, seed: int) -> transformers.GPT2LMHeadModel:
    """A model with first weights, for rows of so many columns."""
    none = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    size = {"vocab_size": vocabulary(data), "n_positions": columns, "bos_token_id": None, "eos_token_id": None}
    torch.manual_seed(seed)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(use_cache=False, **size, **none, **shape))
    model.loss_type = "ForCausalLM"  # what it takes anyway, and would warn of
    return model


def parameters(data: Mapping, shape: Mapping, columns: int) -> int:
    """How many the model has; the output shares its weights with the embedding."""
    return sum(p.numel() for p in model_of(data, shape, columns, 0).parameters())


def courses(
    model: torch.nn.Module, rows: Int[Tensor, "rows columns"], config: Mapping, until: int
) -> Iterator[tuple[int, dict]]:
    """Train up to step `until` of the schedule; after each of `LOOKS` the step, and what is held."""
    steps, looks = config["steps"], {max(1, round(share * config["steps"])) for share in LOOKS}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config["learning_rate"], betas=DECAYS, weight_decay=0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda number: rate(number, steps, WARM_UP))
    loss = losses.get(config["loss"]) if config["loss"] else None
    for number, chosen in enumerate(islice(order(len(rows), config["batch_size"], config["seed"]), until), 1):
        step(model, rows[chosen], optimizer, loss, config["weight"] or 0.0)
        schedule.step()
        if number in looks or number == until:
            yield number, held(model, rows, config["data"])


def held(model: torch.nn.Module, rows: Int[Tensor, "rows columns"], data: Mapping) -> dict[str, float]:
    """Bits that the model holds of its data."""
    surprisal = capacity.surprisal(model, rows)
    if data["kind"] == LIVES:
        return biographies.known(surprisal)._asdict()
    return {"bits": capacity.memorised(surprisal, data["vocabulary"])}


def start(config: Mapping) -> tuple[transformers.GPT2LMHeadModel, Int[Tensor, "rows columns"]]:
    """The model of a run with its first weights, and its data.

    Raises
        ValueError: no step.
    """
    if config["steps"] < 1:
        raise ValueError(f"steps must be above 0, got {config['steps']}.")
    rows = rows_of(config["data"], config["seed"]).to(machine.device())
    return model_of(config["data"], config["shape"], rows.shape[1], config["seed"]).to(rows.device), rows


def _trained(config: Mapping) -> tuple[dict, bytes]:
    model, rows = start(config)
    course = [{"step": number, **bits} for number, bits in courses(model, rows, config, config["steps"])]
    kind, texts = config["data"]["kind"], rows[: config["texts"]].tolist()
    how = {"controls": True, "seed": config["seed"], "name": f"capacity-{kind}", "progress": False}
    found = measure(model.eval(), None, texts, max_length=rows.shape[1], **how)
    about = {"model": f"GPT-2 for {kind}", "parameters": sum(p.numel() for p in model.parameters())}
    data = corpora.Corpus(kind, [], "drawn here", sha256(str(rows.tolist())))
    results = {"parameters": about["parameters"], "course": course, "passes": _passes(config, len(rows))}
    if kind == RANDOM:
        results["memorisable"] = capacity.memorisable(rows.cpu(), config["data"]["vocabulary"])
    return results | surveys.summary(found, about, data), found.to_bytes()


def _passes(config: Mapping, rows: int) -> float:
    return config["steps"] * min(config["batch_size"], rows) / rows


def check(record: records.Record):
    """The first thirtieth of the steps of a run made again now, beside its record: bits per token that are not held.

    The tolerance leaves room for another processor.
    """
    config, first = record.content["config"], record.content["results"]["course"][0]
    model, rows = start(config)
    (_, now), *_ = courses(model, rows, config, first["step"])
    tokens = rows[:, 1:].numel()
    each = [(f"{name} per token, step {first['step']}", first[name] / tokens, now[name] / tokens, 0.02) for name in now]
    return records.beside_record(each)
