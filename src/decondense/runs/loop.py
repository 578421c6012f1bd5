"""One training run: from a configuration to the loss curve, the geometry on the way, and the benchmarks at the end."""

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from torch.distributed.checkpoint import state_dict
from torch.distributed.tensor import DTensor
from transformers import Trainer, TrainerCallback, TrainingArguments

from .. import corpora, evaluate, measurement, models, trainers
from ..base.files import write_atomically
from ..corpora import streams
from ..trainers import distillation
from . import saving

FORGET_AFTER = 1000 / 1526  # of the steps: the paper's one reset in a run of 1,526 steps
LONG = 200  # steps; a longer run saves its state on the way,
SAVE_EVERY = 500  # steps at most (`saving` has a limit in time)
LOOK = "look-{:07d}.npz"  # what is measured at a step


def pretrained(config: dict) -> models.Loaded:
    """The model that a run of mid-training starts from."""
    how = {"train_tokens": config["train_tokens"]} if "train_tokens" in config else {}
    return models.load(config["model"], sources=tuple(config["sources"]), seed=0, **how)


def train(
    config: dict,
    folder: Path,
    load: Callable[[dict], models.Loaded] = pretrained,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[models.Loaded], None] | None = None,
) -> tuple[dict, bytes]:
    """Train as the configuration says: the results, and the arrays as an `.npz` file.

    The configuration is that of `midtraining.configuration`, or with another `load` that of
    `pretraining.configuration`, which has more: `precision`, `schedule`, `warm_up`, `logging_steps`, `spacing` of the
    checkpoints and `distillation`.

    Arrays: `mu` (checkpoints, texts, entries), `histogram` (checkpoints, entries, bins), and `item_*`, the columns of
    `evaluate.Evaluation.items`. What is seen on the way is kept in `folder`, from which a run that was killed goes on,
    unless it began before the UTC time in `DECONDENSE_FRESH`.

    progress
        Called with the number of each step that is done.
    keep
        Called with the model after the last step.

    In several processes (`accelerate launch`) all of them call this with the same configuration; the batch size is that
    of one process, and only the first measures and writes. A model that is sharded over them (FSDP) is put together
    there for each measurement.

    Raises
        What `models.load`, `corpora.load`, `evaluate.evaluate` and `trainers.DispersionTrainer` raise.
    """
    if _last_checkpoint(folder) is None and _is_first():
        shutil.rmtree(folder, ignore_errors=True)  # a run that begins anew trusts nothing that an older one saw
    loaded = load(config)
    corpus = corpora.load(config["corpus"], config["sources"])
    stream = streams.stream(corpus, loaded.tokenizer, streams.needs(config))
    whole = lambda: _whole(loaded, lambda: load(config))
    watch = _Watch(config, whole, stream.held_out, folder, progress or (lambda step: None))
    curve = _fit(config, loaded, stream.train, watch, folder)
    processes().wait_for_everyone()  # until the first has written what all read now
    results = {
        "curve": curve,
        "validation_loss": watch.losses(),
        "checkpoints": watch.steps,
        "tokens": _tokens(config, watch.steps[-1]),
        "model": loaded.provenance,
        "corpus": {"name": corpus.name, "source": corpus.source, "sha256": corpus.sha256},
        "tasks": {},
    }
    arrays = watch.arrays()
    if _is_only():
        results["weights_sha256"] = _fingerprint(loaded.model)
    model = whole() if config["tasks"] or keep else None  # all processes together
    if keep and model:
        keep(model)
    if config["tasks"] and model:
        evaluation = _evaluate(config, model)
        results["tasks"] = evaluation.tasks
        columns = {f"item_{name}": evaluation.items[name].to_numpy() for name in evaluation.items}
        arrays |= {name: a.astype(str) if a.dtype.kind not in "fiub" else a for name, a in columns.items()}
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    return results, buffer.getvalue()


def _fit(config: dict, loaded: models.Loaded, train_ids: np.ndarray, watch: "_Watch", folder: Path) -> list[dict]:
    """Train; what was logged at each step."""
    steps = config["steps"]
    if steps == 0:
        watch.look(0)
        return []
    callbacks = [watch, saving.SaveInTime()]
    if config["forgetting"]:
        callbacks.append(trainers.ActiveForgetting(max(1, round(FORGET_AFTER * steps))))
    trainer = _trainer(
        config, loaded, _arguments(config, folder), callbacks, streams.Windows(train_ids, config["length"])
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Active forgetting")  # said in the notebooks
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    names = ["step", "loss", "loss_language", "loss_regulariser", "learning_rate", "grad_norm"]
    names += ["loss_distillation"] if config.get("distillation") else []
    return [{name: row.get(name) for name in names} for row in trainer.state.log_history if "loss" in row]


def _arguments(config: dict, folder: Path) -> TrainingArguments:
    steps, every = config["steps"], config.get("logging_steps", 1)
    # The logs are means since the last one: a checkpoint between two of them would cut one short.
    save_steps = every * max(1, min(SAVE_EVERY, steps // 10) // every)
    cuda = torch.cuda.is_available()
    more = {"lr_scheduler_type": config["schedule"]} if "schedule" in config else {}
    more |= {"warmup_steps": round(config["warm_up"] * steps)} if "warm_up" in config else {}
    return trainers.paper_arguments(
        folder, steps, per_device_train_batch_size=config["batch_size"], logging_steps=every, seed=config["seed"],
        gradient_accumulation_steps=config["accumulation"], learning_rate=config["learning_rate"],
        neftune_noise_alpha=config.get("noise_alpha"), save_strategy="steps" if steps > LONG else "no",
        save_total_limit=1, save_steps=save_steps, disable_tqdm=True, use_cpu=not cuda, dataloader_pin_memory=cuda,
        bf16=_precision(config) == "bfloat16", **more,
    )  # fmt: skip


def _trainer(config: dict, loaded: models.Loaded, arguments: TrainingArguments, callbacks: list, data) -> Trainer:
    what = {"model": loaded.model, "args": arguments, "train_dataset": data, "callbacks": callbacks}
    names = ("loss", "weight", "layers", "temperature", "subsample")
    what |= {"loss": None} if config["loss"] is None else {name: config[name] for name in names}
    if not (taught := config.get("distillation")):
        return trainers.DispersionTrainer(**what)
    teacher = models.load(taught["teacher"], train_tokens=config["train_tokens"], sources=tuple(config["sources"]))
    how = {"kind": taught["kind"], "share": taught["share"], "distillation_temperature": taught["temperature"]}
    return distillation.DistillationTrainer(teacher=teacher.model, **how, **what)


def _tokens(config: dict, steps: int) -> int:
    return steps * config["batch_size"] * config["accumulation"] * config["length"] * processes().num_processes


def _precision(config: dict) -> str:
    return config.get("precision", "bfloat16")


def processes() -> PartialState:
    """The processes that train together, and which of them this is."""
    return PartialState(cpu=not torch.cuda.is_available())


def _is_first() -> bool:
    return processes().is_main_process


def _is_only() -> bool:
    return processes().num_processes == 1


def _fingerprint(model: torch.nn.Module) -> str:
    """SHA-256 of all weights: two runs that agree in it agree in every bit."""
    digest = hashlib.sha256()
    for _, value in sorted(model.state_dict().items()):
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _last_checkpoint(folder: Path) -> str | None:
    """The last checkpoint that is whole: the Trainer writes the file looked for last, and one more a process."""
    if _begun(folder) < os.environ.get("DECONDENSE_FRESH", ""):
        return None
    saved = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    # That of a process may be cut short, which a zip file shows: its table of contents comes last.
    written = lambda path: sum(map(is_zipfile, path.glob("rng_state*.pth")))
    whole = [path for path in saved if written(path) >= processes().num_processes]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _begun(folder: Path) -> str:
    """When a run wrote its first look, as records write the time; the last of all times if it has none."""
    first = folder / LOOK.format(0)
    return datetime.fromtimestamp(first.stat().st_mtime, UTC).isoformat(timespec="seconds") if first.exists() else "~"


def _autocast(model: torch.nn.Module, precision: str):
    return torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _whole(loaded: models.Loaded, again: Callable[[], models.Loaded]) -> models.Loaded | None:
    """The model as the first process can run it alone; `None` in the others. A sharded one is put together."""
    if any(isinstance(parameter, DTensor) for parameter in loaded.model.parameters()):
        how = state_dict.StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights = state_dict.get_model_state_dict(loaded.model, options=how)  # all processes together
        if _is_first():
            with torch.random.fork_rng():  # drawing weights seeds torch
                loaded = again()
            loaded.model.load_state_dict(weights)
            loaded.model.to(processes().device)
    return loaded if _is_first() else None


def _evaluate(config: dict, loaded: models.Loaded) -> evaluate.Evaluation:
    """The benchmarks, those with the same limit together."""
    parts, tasks = [], config["tasks"]
    how = {"few_shot": config["few_shot"], "sources": config["sources"], "dtype": "bfloat16", "progress": False}
    for limit in dict.fromkeys(tasks.values()):
        names = [name for name in tasks if tasks[name] == limit]
        parts.append(evaluate.evaluate(loaded.model, loaded.tokenizer, names, limit=limit, **how))
    about = {name: about for part in parts for name, about in part.tasks.items()}
    return evaluate.Evaluation(pd.concat([part.items for part in parts], ignore_index=True), about)


class _Watch(TrainerCallback):
    """Measures geometry and validation loss during training; each look is a file, so that a resumed run keeps it."""

    def __init__(
        self,
        config: dict,
        whole: Callable[[], models.Loaded | None],
        held_out: np.ndarray,
        folder: Path,
        progress: Callable[[int], None],
    ):
        self.whole, self.folder, self.progress, self.stop_after = whole, folder, progress, config["stop_after"]
        self.texts = streams.spread(held_out, config["texts"], config["text_length"])
        self.validation = torch.tensor(streams.spread(held_out, config["held_out"], config["length"]))
        spacing = np.geomspace(1, max(1, config["steps"]), config["checkpoints"] + 1)
        if config.get("spacing", "linear") == "linear":
            spacing = np.linspace(0, config["steps"], config["checkpoints"] + 1)
        last = min(self.stop_after or config["steps"], config["steps"])
        self.steps = sorted({int(step) for step in spacing.round() if step <= last} | {0, last})
        self.validated = self.steps if "spacing" in config else [0, last]
        self.precision = _precision(config)

    def look(self, step: int) -> None:
        path = self._path(step)
        if path.exists() and _is_only():  # many processes put the model together, whether or not it was seen before
            return
        if not (loaded := self.whole()):
            return
        with _autocast(loaded.model, self.precision):
            seen = measurement.measure(
                loaded.model, None, self.texts, max_length=len(self.texts[0]), name=f"step {step}", progress=False
            )
            loss = self._validation_loss(loaded.model) if step in self.validated else np.nan
        buffer = BytesIO()
        np.savez(buffer, mu=seen.mu_per_text, histogram=seen.histogram.astype(np.float32), loss=loss)
        write_atomically(path, buffer.getvalue())

    @torch.inference_mode()
    def _validation_loss(self, model: torch.nn.Module) -> float:
        model.eval()
        batches = self.validation.to(model.device).split(8)
        found = [model(input_ids=ids, labels=ids).loss.item() * len(ids) for ids in batches]
        return sum(found) / len(self.validation)

    def on_train_begin(self, args, state, control, **kwargs):
        if state.global_step == 0:
            self.look(0)

    def on_step_end(self, args, state, control, **kwargs):
        self.progress(state.global_step)
        if state.global_step in self.steps:
            self.look(state.global_step)
        if self.stop_after and state.global_step >= self.stop_after:
            control.should_training_stop = True

    def losses(self) -> list[float]:
        """Validation loss at the looks that have one: before the first and after the last step, at least."""
        return [float(self._read(step)["loss"]) for step in self.validated]

    def arrays(self) -> dict[str, np.ndarray]:
        looks = [self._read(step) for step in self.steps]
        return {name: np.stack([look[name] for look in looks]) for name in ("mu", "histogram")}

    def _path(self, step: int) -> Path:
        return self.folder / LOOK.format(step)

    def _read(self, step: int) -> dict[str, np.ndarray]:
        with np.load(self._path(step)) as file:
            return {name: file[name] for name in file.files}
