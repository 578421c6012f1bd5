"""Training from scratch: a shape, a condition, a seed, and the record of loss and geometry on the way.

In several processes (`accelerate launch`) see `launch`.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch

from .. import models, records
from ..corpora import streams
from ..models import pocket
from . import conditions, grid, loop, store
from .run import Run

_corpus = store.corpus


def setup(
    experiment: str,
    shape: Mapping,
    corpus: str,
    *,
    steps: int,
    batch_size: int = 4,
    accumulation: int = 1,
    length: int = 256,
    learning_rate: float = 2e-3,
    schedule: str = "cosine",
    warm_up: float = 0.1,
    precision: str = "float32",
    checkpoints: int = 8,
    texts: int = 8,
    text_length: int = 256,
    held_out: int = 64,
    tokenizer: str = "pocket-small",
    tasks: Mapping[str, int | None] | None = None,
    few_shot: int = 1,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
) -> dict:
    """What the runs of one experiment share.

    experiment
        The figure or table they are for: their records' names begin with it.
    shape
        `architecture`, the name of a configuration class of transformers, and its arguments; or `{"like": name}` for
        the published shape of a model that `models.table()` knows. Vocabulary (the tokenizer's) and context (the
        longer of `length` and `text_length`) are added; there is no dropout unless the shape says so.
    steps, batch_size, accumulation, length
        Tokens seen: steps x batch_size x accumulation x length, by each process. How many processes there are is a
        change of its own, `processes` (1 if absent).
    schedule, warm_up
        Decay after a linear warm-up over this share of the steps.
    precision
        "float32", or "bfloat16" by autocast: faster on a GPU, slower for small models on a CPU.
    checkpoints
        Geometry (on `texts` held-out windows of `text_length` tokens) and validation loss (on `held_out` windows of
        `length` tokens) are measured before the first step and then `checkpoints` + 1 times at steps 1 .. `steps`
        spaced evenly in the logarithm.
    tokenizer
        The model whose tokenizer is used, as in `models.load_tokenizer`.
    tasks, few_shot
        As in `midtraining.setup`.
    train_tokens
        Of a pocket model that is the teacher in a distillation.

    Raises
        ValueError: an unknown architecture, and what `conditions.checked_setup` raises.
    """
    config = conditions.checked_setup(locals())
    _architecture(shape)
    return config | {"shape": dict(shape), "tasks": dict(tasks or {}), "sources": list(sources), "spacing": "log"}


def runs(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int], committed: bool = True) -> list[Run]:
    """One run for each label and seed, in that order: read where there is a record, else trained, several at a time.

    The seed draws the weights and the order of the data: runs with the same seed see the same batches.

    shared
        From `setup`.
    changes
        For each label what it changes: keys of `setup`, `loss`, `weight`, `layers`, `temperature`, `subsample` of the
        regulariser, `processes` that train together, and `distillation`: `teacher` (a model that `models.load` knows),
        and `kind`, `share` and `temperature` as in `DistillationTrainer`. A `shape` is added to the shared one.
    committed
        Take records that the repository keeps, where they are of the same configuration.

    Raises
        ValueError: a change that no run knows; what the trainer, `models.load`, `corpora.load` raise.
        RuntimeError: a training process failed; its last line says why.
    """
    return grid.runs(KIND, jobs(shared, changes, seeds), committed)


def check_run(run: Run, steps: int) -> pd.DataFrame:
    """The first steps of a run made again now, beside its record (`grid.check_run`)."""
    return grid.check_run(KIND, run, steps)


def plan(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int]) -> pd.Series:
    """What `runs` with the same arguments would do, before it starts (`grid.plan`)."""
    return grid.plan(KIND, [config for _, config in jobs(shared, changes, seeds)])


origin = grid.origin


def configuration(asked: dict, seed: int) -> dict:
    """The whole configuration of a run: what `setup` gave, the condition with its defaults, the seed.

    Raises
        ValueError: a key that no run knows, or a value that none can have (`conditions.checked`).
    """
    condition = {
        "loss": None, "weight": 0.1, "layers": "all", "temperature": None, "subsample": None, "distillation": None,
        "stop_after": None,
    }  # fmt: skip
    known = {*condition, *inspect.signature(setup).parameters, "spacing", "processes"}
    for name in asked:
        if name not in known:
            raise ValueError(f"No run knows {name!r}. Known: {', '.join(sorted(known))}.")
    config = condition | asked | {"seed": seed}
    config["distillation"] = _distillation(config["distillation"])
    if config["loss"] is None:  # what has no effect is not part of the configuration
        config |= dict.fromkeys(conditions.OF_A_LOSS)
    config = conditions.checked(config)
    config["logging_steps"] = max(1, config["steps"] // 100)
    if config["distillation"] is None:
        config.pop("train_tokens", None)
    if config.get("processes") == 1:  # usual, and not said
        del config["processes"]
    config["forgetting"] = False
    return config


def _distillation(asked: object) -> dict | None:
    usual = {"kind": "logits", "share": 0.5, "temperature": None}
    if asked is None:
        return None
    if not isinstance(asked, Mapping) or "teacher" not in asked or set(asked) - {"teacher", *usual}:
        raise ValueError(f"distillation must be a table with a teacher, and maybe {', '.join(usual)}; got {asked!r}.")
    return usual | dict(asked)


def jobs(shared: dict, changes: Mapping[str, dict], seeds: Sequence[int]) -> list[tuple[str, dict]]:
    """The label and the configuration of each run, in the order of `runs`."""
    return [
        (label, configuration(shared | change | {"shape": shared["shape"] | change.get("shape", {})}, seed))
        for label, change in changes.items()
        for seed in seeds
    ]


def new_model(config: dict, vocabulary: int) -> torch.nn.Module:
    """The model of a configuration, its weights drawn with the configuration's seed.

    GPT-2's dropout (0.1 in its configuration class) is 0 unless the shape names it.
    """
    from transformers import AutoModelForCausalLM

    built = _configuration_class(config, vocabulary)
    torch.manual_seed(config["seed"])
    return AutoModelForCausalLM.from_config(built)


def _configuration_class(config: dict, vocabulary: int):
    architecture, arguments = _architecture(config["shape"])
    usual = {"max_position_embeddings": max(config["length"], config["text_length"]), "vocab_size": vocabulary}
    usual |= {"bos_token_id": 0, "eos_token_id": 0, "loss_type": "ForCausalLM"}
    if architecture.__name__ == "GPT2Config":
        usual |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return architecture(**usual | arguments)


def _architecture(shape: Mapping) -> tuple[type, dict]:
    import transformers

    if "like" in shape:
        short, entry = models.resolve(shape["like"])
        if "architecture" not in entry:
            raise ValueError(f"The architecture of {short!r} is not in the table of models: give the shape itself.")
        known = {name: value for name, value in entry["config"].items() if name != "vocab_size"}
        shape = {"architecture": entry["architecture"], **known, **{k: v for k, v in shape.items() if k != "like"}}
    found = getattr(transformers, shape.get("architecture", ""), None)
    if not (isinstance(found, type) and issubclass(found, transformers.PretrainedConfig)):
        raise ValueError(
            f"The shape {dict(shape)} names no architecture. Give {{'architecture': 'GPT2Config', 'n_embd': 64, ...}}, "
            "a configuration class of transformers with its arguments, or {'like': 'gpt2'}."
        )
    return found, {name: value for name, value in shape.items() if name != "architecture"}


def _load(config: dict) -> models.Loaded:
    tokenizer = models.load_tokenizer(config["tokenizer"], config["sources"])
    model = new_model(config, len(tokenizer))
    about = {"source": "trained from scratch", "seed": config["seed"], "parameters": model.num_parameters()}
    return models.Loaded(model, tokenizer, about)


def parameters(config: dict) -> int:
    """How many parameters the model of a configuration has, counted without making it."""
    from transformers import AutoModelForCausalLM

    vocabulary = len(models.load_tokenizer(config["tokenizer"], config["sources"]))
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(_configuration_class(config, vocabulary)).num_parameters()


def _name(config: dict) -> str:
    kind = config["loss"] or "train"
    if config["distillation"] and config["distillation"]["share"]:
        kind = f"{config['distillation']['kind']}-{kind}"
    return f"{config['experiment']}-{_architecture(config['shape'])[0].__name__.removesuffix('Config').lower()}-{kind}"


def _find(config: dict, committed: bool) -> records.Record | None:
    """The record of a run if there is one, without computing."""
    return store.find(_name(config), config, committed)


def prepare(config: dict) -> None:
    """What all processes need and only one should make: the teacher, the corpus and its token stream."""
    if config["distillation"] and config["distillation"]["teacher"] in pocket.SIZES:
        pocket.train_missing([config["distillation"]["teacher"]], config["train_tokens"])
    corpus = _corpus(config["corpus"], tuple(config["sources"]))
    streams.stream(corpus, models.load_tokenizer(config["tokenizer"], config["sources"]), streams.needs(config))


def train(config: dict, progress: Callable[[int], None] | None = None) -> records.Record:
    """Train one run now, and write its record (`trained.train`); `progress` gets the number of each step done.

    Raises
        ValueError: there are more or fewer processes than `processes` says.
    """
    _check_processes(config.get("processes", 1))
    return store.train("pretraining", _name(config), config, _load, progress)


def _check_processes(asked: int) -> None:
    here = loop.processes().num_processes
    if asked != here:
        raise ValueError(
            f"This run is one of {asked} processes, and here are {here}. Start it with `accelerate launch "
            "--num_processes N -m decondense.launch FILE.toml`, or change `processes` and `accumulation`."
        )


KIND = grid.Kind(
    "pretraining", lambda *of: _find(*of), lambda c: prepare(c), lambda c: parameters(c), lambda c: _name(c)
)
