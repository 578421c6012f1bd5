"""Training from scratch: a shape, a condition, a seed, and the record of loss and geometry on the way.

In several processes (`accelerate launch`) see `launch`.
"""

import inspect
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import pandas as pd
import torch

from . import (
    benchmarks,
    corpora,
    distillation,
    evaluate,
    grid,
    hooks,
    losses,
    measurement,
    metrics,
    models,
    packing,
    pairwise,
    pocket,
    pocket_tasks,
    records,
    sequences,
    trainers,
    training,
)
from .errors import unknown
from .files import cache_dir
from .run import Run

_MODULES = (
    benchmarks, corpora, distillation, evaluate, hooks, losses, measurement, metrics, models, packing, pairwise, pocket,
    pocket_tasks, sequences, trainers, training,
)  # fmt: skip
_FILES = (
    "pretraining.py", "families.toml", "mirrors.py", "assets.py", "assets.toml", "benchmarks.toml",
    "harness.py",  # imports lm-eval: seconds
)  # fmt: skip
CODE = [*(Path(module.__file__) for module in _MODULES), *(Path(__file__).with_name(name) for name in _FILES)]
_corpus = lru_cache(maxsize=4)(corpora.load)
PRECISIONS, SCHEDULES = ("float32", "bfloat16"), ("cosine", "linear")


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
        ValueError: a number that is not positive, more checkpoints than steps, an unknown architecture, benchmark,
            precision or schedule.
    """
    config = dict(locals())
    numbers = ("steps", "batch_size", "accumulation", "length", "checkpoints", "texts", "text_length", "held_out")
    for name in (*numbers, "learning_rate"):
        if config[name] <= 0:
            raise ValueError(f"{name} must be above 0, got {config[name]}.")
    if checkpoints > steps:
        raise ValueError(f"{checkpoints} checkpoints in {steps} steps: give at least as many steps.")
    if not 0 <= warm_up < 1:
        raise ValueError(f"warm_up is a share of the steps, 0 up to 1, got {warm_up}.")
    for name, value, known in (("precision", precision, PRECISIONS), ("schedule", schedule, SCHEDULES)):
        if value not in known:
            raise unknown(name, value, known)
    for task in tasks or {}:
        if task not in (known := [*evaluate.PAPER_TASKS, *pocket_tasks.TASKS]):
            raise unknown("benchmark", task, known)
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
        ValueError: a key that no run knows.
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
    config["logging_steps"] = max(1, config["steps"] // 100)
    if config["loss"] is None:  # what has no effect is not part of the configuration
        config |= {"weight": None, "layers": None, "temperature": None, "subsample": None}
    if config["distillation"] is None:
        config.pop("train_tokens", None)
    if config.get("processes") == 1:  # usual, and not said
        del config["processes"]
    config["forgetting"] = False
    return config


def _distillation(asked: Mapping | None) -> dict | None:
    usual = {"kind": "logits", "share": 0.5, "temperature": None}
    if asked is None:
        return None
    if "teacher" not in asked or set(asked) - {"teacher", *usual}:
        raise ValueError(f"A distillation has a teacher, and may have {', '.join(usual)}; got {dict(asked)}.")
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
    return records.find(_name(config), config, CODE, surroundings=_surroundings(config), committed=committed)


def _surroundings(config: dict) -> dict:
    versions = {
        name: metadata.version(name) for name in ("torch", "transformers", "tokenizers", "accelerate", "lm_eval")
    }
    return {
        "corpora": [_corpus(config["corpus"], tuple(config["sources"])).sha256, _corpus("documentation").sha256],
        "versions": versions,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }


def prepare(config: dict) -> None:
    """What all processes need and only one should make: the teacher, the corpus and its token stream."""
    if config["distillation"] and config["distillation"]["teacher"] in pocket.SIZES:
        pocket.train_missing([config["distillation"]["teacher"]], config["train_tokens"])
    corpus = _corpus(config["corpus"], tuple(config["sources"]))
    packing.stream(corpus, models.load_tokenizer(config["tokenizer"], config["sources"]), packing.needs(config))


def train(config: dict) -> records.Record:
    """Train one run now, and write its record; a run that was killed goes on after its last saved checkpoint.

    In several processes all call this with the same configuration; the first alone writes, and all get the record.

    Raises
        ValueError: there are more or fewer processes than `processes` says.
    """
    _check_processes(config.get("processes", 1))
    together = training.processes()
    # Named by the key, so that what an older version of the code saved is never gone on with.
    folder = cache_dir() / "pretraining" / records.path_of(_name(config), config, CODE, _surroundings(config)).stem
    together.wait_for_everyone()  # what all read now, none has changed yet
    if _find(config, False) is None:
        compute = lambda: training.train(config, folder, _load)
        if together.is_main_process:
            records.run(_name(config), config, compute, CODE, surroundings=_surroundings(config))
        else:
            compute()
        together.wait_for_everyone()
        if together.is_main_process:
            shutil.rmtree(folder, ignore_errors=True)
    return _find(config, False)


def _check_processes(asked: int) -> None:
    here = training.processes().num_processes
    if asked != here:
        raise ValueError(
            f"This run is one of {asked} processes, and here are {here}. Start it with `accelerate launch "
            "--num_processes N -m decondense.launch FILE.toml`, or change `processes` and `accumulation`."
        )


KIND = grid.Kind("pretraining", lambda *of: _find(*of), lambda c: prepare(c), lambda c: parameters(c))
