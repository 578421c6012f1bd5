"""The mid-training runs of the book: a model, a condition, a seed, and the record of loss, geometry and benchmarks."""

import inspect
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from .. import models, records
from ..corpora import streams
from ..models import pocket
from . import conditions, grid, loop, store
from .run import Run

# The eight conditions of Table 2: what each changes in a run. `none` is the model before training.
CONDITIONS: dict[str, dict] = {
    "none": {"steps": 0},
    "train": {},
    "noisy_embedding": {"noise_alpha": 1.0},
    "active_forgetting": {"forgetting": True},
    "decorrelation": {"loss": "decorrelation_tokens"},  # the form of the released code, which made the rows of Table 2
    "l2_repel": {"loss": "l2_repel"},
    "orthogonalization": {"loss": "orthogonalization"},
    "dispersion": {"loss": "dispersion"},
}
_corpus = store.corpus


def setup(
    model: str,
    corpus: str,
    *,
    steps: int,
    batch_size: int = 8,
    accumulation: int = 1,
    length: int = 128,
    learning_rate: float = 5e-5,
    checkpoints: int = 5,
    texts: int = 8,
    text_length: int = 256,
    held_out: int = 64,
    tasks: Mapping[str, int | None] | None = None,
    few_shot: int = 1,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
) -> dict:
    """What the runs of one experiment share, with the defaults of the paper for what is not asked.

    steps, batch_size, accumulation, length
        Tokens seen: steps x batch_size x accumulation x length.
    checkpoints
        The geometry is measured before the first step and then this many times, at equal distances, on `texts`
        held-out windows of `text_length` tokens.
    held_out
        Windows of `length` tokens that give the validation loss, before and after.
    tasks, few_shot
        For each benchmark the limit on its items (`None`: all), as in `evaluate.evaluate`; scored after the last step.

    Raises
        ValueError: what `conditions.checked_setup` raises.
    """
    config = conditions.checked_setup(locals())
    if model not in pocket.SIZES:
        del config["train_tokens"]
    return config | {"tasks": dict(tasks or {}), "sources": list(sources)}


def runs(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int], committed: bool = True) -> list[Run]:
    """One run for each label and seed, in that order: read where there is a record, else trained, several at a time.

    shared
        From `setup`.
    changes
        For each label what it changes: keys of `setup` and of `CONDITIONS`, `weight`, `layers`, `temperature`.
    committed
        Take records that the repository keeps, where they are of the same configuration.

    Raises
        ValueError: a change that no run knows; what `DispersionTrainer`, `models.load`, `corpora.load` raise.
        RuntimeError: a training process failed; its last line says why.
    """
    return grid.runs(KIND, jobs(shared, changes, seeds), committed)


def jobs(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int]) -> list[tuple[str, dict]]:
    """The label and the configuration of each run, in the order of `runs`."""
    every = [(label, configuration(shared | change, seed)) for label, change in changes.items() for seed in seeds]
    # The model before training does not depend on the seed of the data.
    return [(label, config) for label, config in every if config["steps"] or config["seed"] == seeds[0]]


origin = grid.origin


def check_run(run: Run, steps: int) -> pd.DataFrame:
    """The first steps of a run made again now, beside its record (`grid.check_run`)."""
    return grid.check_run(KIND, run, steps)


def plan(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int]) -> pd.Series:
    """What `runs` with the same arguments would do, before it starts (`grid.plan`)."""
    return grid.plan(KIND, [config for _, config in jobs(shared, changes, seeds)])


def _parameters(model: str) -> int:
    if model in pocket.SIZES:
        size = pocket.SIZES[model]
        return (16 * size.heads) * (12 * size.layers * 16 * size.heads + pocket.VOCABULARY + pocket.CONTEXT)
    return models.resolve(model)[1].get("parameters", 1_000_000_000)


def configuration(asked: dict, seed: int) -> dict:
    """The whole configuration of a run: what `setup` gave, the condition with its defaults, the seed.

    Raises
        ValueError: a key that no run knows, or a value that none can have (`conditions.checked`).
    """
    condition = {
        "loss": None, "weight": 0.1, "layers": "all", "temperature": None, "subsample": 256, "noise_alpha": None,
        "forgetting": False, "stop_after": None,
    }  # fmt: skip
    known = {*condition, *inspect.signature(setup).parameters}
    for name in asked:
        if name not in known:
            raise ValueError(f"No run knows {name!r}. Known: {', '.join(sorted(known))}.")
    config = condition | asked | {"seed": seed}
    if config["loss"] is None:  # what has no effect is not part of the configuration
        config |= dict.fromkeys(conditions.OF_A_LOSS)
    for name in ("length", "text_length"):
        if (most := models.positions(config["model"])) and config[name] > most:
            raise ValueError(f"{name} is {config[name]}, and {config['model']} takes {most} tokens at most.")
    return conditions.checked(config)


def _name(config: dict) -> str:
    kind = config["loss"] or ("train" if config["steps"] else "none")
    kind = "active_forgetting" if config["forgetting"] else "noisy_embedding" if config["noise_alpha"] else kind
    return f"midtraining-{config['model'].rstrip('/').split('/')[-1].lower()}-{kind}"


def _find(config: dict, committed: bool) -> records.Record | None:
    """The record of a run if there is one, without computing."""
    return store.find(_name(config), config, committed)


def _prepare(config: dict) -> None:
    """What all processes need and only one should make: the pocket model, the corpus and its token stream."""
    if config["model"] in pocket.SIZES:
        pocket.train_missing([config["model"]], config["train_tokens"])
    corpus = _corpus(config["corpus"], tuple(config["sources"]))
    streams.stream(corpus, models.load_tokenizer(config["model"], config["sources"]), streams.needs(config))


def train(config: dict, progress: Callable[[int], None] | None = None) -> records.Record:
    """Train one run now, and write its record (`trained.train`); `progress` gets the number of each step done."""
    return store.train("midtraining", _name(config), config, loop.pretrained, progress)


KIND = grid.Kind(
    "midtraining", lambda *of: _find(*of), lambda c: _prepare(c), lambda c: _parameters(c["model"]), lambda c: _name(c)
)
