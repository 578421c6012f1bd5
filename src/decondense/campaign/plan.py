"""How much of an item fits into the minutes: the rate is measured, then tokens and seeds are set and kept in a file."""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from ..base import closure, machine
from ..base.files import write_atomically
from ..corpora.packed import place
from ..paper import designs
from ..runs import MidTraining, loop, store
from ..runs.configuration import Configuration
from ..runs.items import Runs

TRIAL_STEPS, WARM_STEPS = 8, 3  # of a rate measurement; those that are not counted
TRIAL_LOOKS = 3  # before the first step, after it and at the end
SHARE = 0.85  # of the minutes that is planned for; the rest is for what the trial did not see
TUNING = 0.25  # of the tokens of a run: how long one is that chooses a rate
CODE = loop.__name__


class TooShort(ValueError):
    """The minutes do not hold the least that an item needs."""


class Rate(NamedTuple):
    """What a run costs: seconds of a step, and of all else (model, looks at the geometry, benchmarks)."""

    step: float
    beside: float


class Plan(NamedTuple):
    """What is made of an item.

    code, corpus
        Hashes: with other code or other texts the plan is not gone on with.
    """

    item: str
    steps: int
    tuning_steps: int
    seeds: list[int]
    rates: dict[str, Rate]
    minutes: float
    machine: str
    code: str
    corpus: str


# --- the file ---------------------------------------------------------------------------------------------------------


def path_of(out: Path, name: str, tiny: bool) -> Path:
    """Where the plan of an item is kept, under `out`."""
    return out / f"plan-{name}{'-tiny' if tiny else ''}.json"


def write(path: Path, plan: Plan) -> None:
    """Keep a plan as JSON, in one piece or not at all; `read` gives it back."""
    content = plan._asdict() | {"rates": {label: rate._asdict() for label, rate in plan.rates.items()}}
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def read(path: Path, item: Runs) -> Plan | None:
    """The plan that an earlier call made, to go on with; `None` if there is none.

    Raises
        ValueError: it was made by other code, or with other texts, so its records are not those of this one.
    """
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    plan = Plan(**content | {"rates": {label: Rate(**rate) for label, rate in content["rates"].items()}})
    for what, theirs, ours in (("commit", plan.code, code()), ("corpus", plan.corpus, corpus_of(item.shared))):
        if theirs != ours:
            raise ValueError(
                f"{path} is of another {what} ({theirs[:12]}, here {ours[:12]}), and so are the records beside it. "
                f"Go on with that {what}, or give another folder with --out."
            )
    return plan


def code() -> str:
    """SHA-256 of what makes a run, without comments: commits that differ in nothing else go on with each other's."""
    return closure.fingerprint(CODE)


def corpus_of(config: Configuration) -> str:
    """SHA-256 of the texts, and of what lies beside token files, that a run reads."""
    return store.corpus(config.corpus, tuple(config.sources)).sha256


# --- sizing -----------------------------------------------------------------------------------------------------------


def made(item: Runs, seconds: float) -> Plan:
    """Measure the rate of each label, and set the steps of a run and the seeds so that all end within `seconds`.

    All seeds where the least tokens of a run allow it, and then as many tokens as fit; else as many seeds as fit. Of an
    item that is made one label after the other a run has its least tokens and all seeds, so that what another call
    adds can be compared with it; the first two labels must fit.

    Raises
        MemoryError: the largest model does not fit (`refuse_too_large`).
        ValueError: the token files have fewer tokens than a run needs at least.
        TooShort: not one seed of the least tokens fits; says how many minutes would do.
    """
    start, item = time.monotonic(), no_token_twice(item)
    for label, change in item.changes.items():
        refuse_too_large(f"{item.name}, {label},", needed_by(item.shared.changed(**change)))
    item = item._replace(changes=dict(list(item.changes.items())[:2])) if item.one_by_one else item
    rates = _measured(item)
    left = SHARE * (seconds - (time.monotonic() - start))
    steps, seeds = sized(item, rates, left, seconds / 60)
    where = machine.gpu() or f"{machine.cores()} CPU cores"
    tuning_steps = max(1, round(TUNING * steps)) if item.tuned else 0
    how = {"minutes": seconds / 60, "machine": where, "code": code(), "corpus": corpus_of(item.shared)}
    return Plan(item.name, steps, tuning_steps, seeds, rates, **how)


def check_design(item: Runs) -> None:
    """Refuse an item that cannot see what its design asks for, or that has other seeds than that.

    Raises
        ValueError: as `designs.load`; another number of seeds.
    """
    if item.design and len(item.seeds) != (n := designs.load(item.design).n):
        raise ValueError(f"The design {item.design} has {n} seeds, and the item has {len(item.seeds)}.")


def no_token_twice(item: Runs) -> Runs:
    """The item with no more tokens a run than the token files have.

    Raises
        ValueError: that is less than the least.
    """
    packed = store.corpus(item.shared.corpus, tuple(item.shared.sources)).rows
    there = sum(packed.header["files"][name]["tokens"] for name in packed.pieces)
    needed = round(item.least * max([1.0, *item.longer]))
    if there < needed:
        raise ValueError(
            f"{packed.folder} has {there:,} tokens, a run of {item.name} needs {needed:,}: add pieces of it."
        )
    return item._replace(most=min(item.most, there))


def sized(item: Runs, rates: Mapping[str, Rate], seconds: float, minutes: float) -> tuple[int, list[int]]:
    """(steps of a run, seeds). Seconds are those of the runs alone, minutes what was asked for.

    Raises
        TooShort: as `made`.
    """
    a_step = tokens_of_step(item.shared)
    least = -(-item.least // a_step)
    most = least if item.one_by_one else item.most // a_step
    for count in range(len(item.seeds), len(item.seeds) - 1 if item.one_by_one else 0, -1):
        fixed, of_a_step = cost(item, rates, count)
        if (steps := int((seconds - fixed) / of_a_step)) >= least:
            return min(steps, most), item.seeds[:count]
    needed = minutes + (fixed + of_a_step * least - seconds) / SHARE / 60
    raise TooShort(
        f"{minutes:.3g} minutes are too few for {_least(item)} of {item.name} with {item.least:,} tokens a run here: "
        f"give --minutes {int(needed) + 1}."
    )


def _least(item: Runs) -> str:
    return f"{len(item.seeds)} seeds of the first two conditions" if item.one_by_one else "one seed"


def cost(item: Runs, rates: Mapping[str, Rate], seeds: int) -> tuple[float, float]:
    """(seconds that do not depend on the steps of a run, seconds for each of them) of all runs together."""
    first = next(iter(rates.values()))
    lengths = [(rate, 1.0) for rate in rates.values()] + [(first, times) for times in item.longer]
    trials = [(rates[label], TUNING) for label, change in item.tuned.items() for _ in range(item.trials(change))]
    runs = lengths * seeds + trials
    return sum(rate.beside for rate, _ in runs), sum(times * rate.step for rate, times in runs)


def tokens_of_step(config: Configuration) -> int:
    return config.batch_size * config.accumulation * config.length


def _measured(item: Runs) -> dict[str, Rate]:
    """The rate of each label; those that differ in nothing but the learning rate are measured once."""
    found: dict[str, Rate] = {}
    alike: dict[str, Rate] = {}
    for number, (label, change) in enumerate(item.changes.items()):
        key = json.dumps({name: value for name, value in change.items() if name != "learning_rate"}, sort_keys=True)
        config = item.shared.changed(**change)
        if number == 0:
            measured_rate(config)  # what a process does once: kernels, libraries
        if key not in alike:
            alike[key] = measured_rate(config)
        found[label] = alike[key]
    return found


def measured_rate(config: Configuration) -> Rate:
    """From a few steps of this run, made as any run is, and thrown away."""
    times, trained = [], []
    trial = config.changed(steps=TRIAL_STEPS, checkpoints=1)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        loop.train(trial, Path(folder), lambda step: times.append(_now()), lambda loaded: trained.append(_now()))
    took, scoring = trained[0] - start, _now() - trained[0]
    step = (times[-1] - times[WARM_STEPS - 1]) / (TRIAL_STEPS - WARM_STEPS)
    looks = (config.checkpoints + 2) / TRIAL_LOOKS
    return Rate(step, max(0.0, took - TRIAL_STEPS * step) * looks + scoring)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic()


# --- memory -----------------------------------------------------------------------------------------------------------

STATE = 16  # bytes a parameter: weight, gradient and Adam's two moments in float32
BLOCK = 60  # bytes a token, block and feature that are kept for the backward pass, the MLP's included; bf16
LOGITS = 14  # bytes a token and word: logits in bf16 and float32, their gradients


def needed(parameters: int, tokens: int, blocks: int, width: int, vocabulary: int) -> int:
    """Bytes that training of a GPT-2 shape takes, about; tokens are those of a batch."""
    return STATE * parameters + tokens * (BLOCK * blocks * width + LOGITS * vocabulary)


def needed_by(config: Configuration) -> int:
    """`needed` of a run."""
    vocabulary = store.corpus(config.corpus, tuple(config.sources)).rows.header["vocabulary"]
    return needed(config.parameters(), config.batch_size * config.length, *_depth_and_width(config), vocabulary)


def _depth_and_width(config: Configuration) -> tuple[int, int]:
    if isinstance(config, MidTraining):
        from transformers import AutoConfig

        found = AutoConfig.from_pretrained(place(config.model))
        return found.num_hidden_layers, found.hidden_size
    return config.shape["n_layer"], config.shape["n_embd"]


def refuse_too_large(name: str, bytes_needed: int) -> None:
    """Raises a MemoryError with the estimate where that does not fit into the free memory of GPU or machine."""
    bytes_free = free_memory()
    if bytes_needed > bytes_free:
        raise MemoryError(
            f"{name} needs about {bytes_needed / machine.GIB:.1f} GiB, {bytes_free / machine.GIB:.1f} GiB are free on "
            f"{machine.gpu() or 'this machine'}. Take a larger one, or try all of it with --tiny."
        )


def free_memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    import psutil

    return psutil.virtual_memory().available
