"""One training run: from its configuration to the loss curve, the geometry on the way, and benchmarks at the end."""

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import pandas as pd
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from .. import corpora, evaluate, models, trainers
from ..base.extras import require
from ..base.machine import processes
from ..corpora import packed, streams
from ..evaluate import packed as packed_benchmarks
from ..trainers import distillation
from . import elsewhere
from .configuration import Configuration, loss_of
from .watch import LOOK, Watch, fingerprint, whole_model

FORGET_AFTER = 1000 / 1526  # of the steps: the paper's one reset in a run of 1,526 steps
LONG = 200  # steps; a longer run saves its state on the way,
SAVE_EVERY = 500  # after so many steps at most,
SAVE_SECONDS = 600  # and after this time;
SAVE_COST = 20  # but never sooner than after so many times as long as a save took that took longer than
SAVE_CHEAP = 1.0  # seconds: on a GPU the weights may take longer to write than the steps between two saves
LOGGED = ("step", "loss", "loss_language", "loss_regulariser", "learning_rate", "grad_norm")


def train(
    config: Configuration,
    folder: Path,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[models.Loaded], None] | None = None,
) -> tuple[dict, bytes]:
    """Train as the configuration says: the results, and the arrays as an `.npz` file.

    Arrays: those of `watch.Watch.arrays`, a `Condensation` a checkpoint; `item_*`, the columns of
    `evaluate.Evaluation.items`; and those of `elsewhere.looks`. What is seen on the way is kept in `folder`, from
    which a run that was killed goes on, unless it began before the UTC time in `DECONDENSE_FRESH`.

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
    benchmarks = _benchmarks(config) if config.tasks else None  # refused now, and not after hours of training
    if _last_checkpoint(folder) is None and processes().is_main_process:
        shutil.rmtree(folder, ignore_errors=True)  # a run that begins anew trusts nothing that an older one saw
    loaded = config.load()
    corpus = corpora.load(config.corpus, config.sources)
    stream = streams.stream(corpus, loaded.tokenizer, config.needs)
    whole = lambda: whole_model(loaded, config.load)
    watch = Watch(config, whole, stream.held_out, folder, progress or (lambda step: None))
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
    if processes().num_processes == 1:
        results["weights_sha256"] = fingerprint(loaded.model)
    model = whole() if config.tasks or keep or config.elsewhere else None  # all processes together
    if keep and model:
        keep(model)
    if benchmarks and model:
        evaluation = benchmarks(model)
        results["tasks"] = evaluation.tasks
        columns = {f"item_{name}": evaluation.items[name].to_numpy() for name in evaluation.items}
        arrays |= {name: a.astype(str) if a.dtype.kind not in "fiub" else a for name, a in columns.items()}
    if model:
        arrays |= elsewhere.looks(config, model)
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    return results, buffer.getvalue()


def _fit(config: Configuration, loaded: models.Loaded, train_ids: np.ndarray, watch: Watch, folder: Path) -> list[dict]:
    """Train; what was logged at each step."""
    if config.steps == 0:
        watch.look(0)
        return []
    callbacks = [watch, SaveInTime()]
    if config.forgetting:
        callbacks.append(trainers.ActiveForgetting(max(1, round(FORGET_AFTER * config.steps))))
    data = streams.Windows(train_ids, config.length)
    trainer = _trainer(config, loaded, _arguments(config, folder), callbacks, data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Active forgetting")  # said in the notebooks
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    names = [*LOGGED, *(["loss_distillation"] if config.distillation else [])]
    return [{name: row.get(name) for name in names} for row in trainer.state.log_history if "loss" in row]


def _arguments(config: Configuration, folder: Path) -> TrainingArguments:
    steps, every = config.steps, config.logging_steps
    # The logs are means since the last one: a checkpoint between two of them would cut one short.
    save_steps = every * max(1, min(SAVE_EVERY, steps // 10) // every)
    cuda = torch.cuda.is_available()
    return trainers.paper_arguments(
        folder, steps, per_device_train_batch_size=config.batch_size, logging_steps=every, seed=config.seed,
        gradient_accumulation_steps=config.accumulation, learning_rate=config.learning_rate,
        neftune_noise_alpha=config.noise_alpha, save_strategy="steps" if steps > LONG else "no",
        save_total_limit=1, save_steps=save_steps, disable_tqdm=True, use_cpu=not cuda, dataloader_pin_memory=cuda,
        bf16=config.precision == "bfloat16", **config.schedule_arguments,
    )  # fmt: skip


def _trainer(
    config: Configuration, loaded: models.Loaded, arguments: TrainingArguments, callbacks: list, data
) -> Trainer:
    what = {"model": loaded.model, "args": arguments, "train_dataset": data, "callbacks": callbacks, "loss": None}
    if config.loss is not None:
        what |= {name: getattr(config, name) for name in ("weight", "layers", "subsample")}
        what["loss"] = loss_of(config)
    if not (taught := config.distillation):
        return trainers.DispersionTrainer(**what)
    teacher = models.load(taught["teacher"], train_tokens=config.train_tokens, sources=config.sources)
    how = {"kind": taught["kind"], "share": taught["share"], "distillation_temperature": taught["temperature"]}
    return distillation.DistillationTrainer(teacher=teacher.model, **how, **what)


def _tokens(config: Configuration, steps: int) -> int:
    return steps * config.batch_size * config.accumulation * config.length * processes().num_processes


def _benchmarks(config: Configuration) -> Callable[[models.Loaded], evaluate.Evaluation]:
    """What scores them: as they are packed where the corpus is, else lm-eval."""
    if not packed.is_packed(config.corpus):
        require(*evaluate.PACKAGES, extra=evaluate.EXTRA)
        return partial(_evaluate, config)
    requests, how = packed_benchmarks.of(config.corpus), {"few_shot": config.few_shot}
    packed_benchmarks.check(requests, config.tasks, **how)
    return lambda loaded: packed_benchmarks.score(loaded.model, requests, config.tasks, dtype="bfloat16", **how)


def _evaluate(config: Configuration, loaded: models.Loaded) -> evaluate.Evaluation:
    """The benchmarks, those with the same limit together."""
    parts, tasks = [], config.tasks
    how = {"few_shot": config.few_shot, "sources": config.sources, "dtype": "bfloat16", "progress": False}
    for limit in dict.fromkeys(tasks.values()):
        names = [name for name in tasks if tasks[name] == limit]
        parts.append(evaluate.evaluate(loaded.model, loaded.tokenizer, names, limit=limit, **how))
    about = {name: about for part in parts for name, about in part.tasks.items()}
    return evaluate.Evaluation(pd.concat([part.items for part in parts], ignore_index=True), about)


# --- the state of a run, saved on the way ---------------------------------------------------------------------------


class SaveInTime(TrainerCallback):
    """Saves the state when `SAVE_SECONDS` went by since the last time: a tenth of the steps may be hours; or seconds,
    and then it is saved less often, so that at most a twentieth of the time goes into it.

    Only at a step that is logged, as all saving here, and in one process: many would not agree on the time.

    Never after the last step: the Trainer, when it goes on from there, makes one step more before it stops. It must
    come after every callback that ends the training.
    """

    def on_train_begin(self, args, state, control, **_) -> None:
        self.last, self.took = time.monotonic(), 0.0

    def on_save(self, args, state, control, **_) -> None:
        self.last, self.took = time.monotonic(), time.monotonic() - self.asked

    def on_step_end(self, args, state, control, **_) -> None:
        self.asked = time.monotonic()
        since, alone = self.asked - self.last, args.world_size == 1
        if alone and since >= SAVE_SECONDS and state.global_step % args.logging_steps == 0:
            control.should_save = True
        if alone and self.took > SAVE_CHEAP and since < SAVE_COST * self.took:
            control.should_save = False
        if control.should_training_stop:
            control.should_save = False


def _last_checkpoint(folder: Path) -> str | None:
    """The last checkpoint that is whole."""
    if _begun(folder) < os.environ.get("DECONDENSE_FRESH", ""):
        return None
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path)]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _is_whole(checkpoint: Path) -> bool:
    """Whether the Trainer wrote to the end the file that it writes last, and before it one for each process.

    Each may be cut short by a kill: text then is no JSON, and a zip file lacks its table of contents, which comes last.
    """
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return sum(map(is_zipfile, checkpoint.glob("rng_state*.pth"))) >= processes().num_processes


def _begun(folder: Path) -> str:
    """When a run wrote its first look, as records write the time; the last of all times if it has none."""
    first = folder / LOOK.format(0)
    return datetime.fromtimestamp(first.stat().st_mtime, UTC).isoformat(timespec="seconds") if first.exists() else "~"
