"""SFT, DPO and GRPO by the trainers of TRL, each with the mixin of this library."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from tempfile import TemporaryDirectory

from transformers import PrinterCallback, set_seed
from transformers.utils import logging

from ...base import machine
from ...base.extras import need
from ...trainers import DispersionMixin
from . import problems
from .arithmetic import Sum

SFT, DPO, GRPO = METHODS = ("sft", "dpo", "grpo")


def train(model, tokenizer, rows: Sequence[Sum], config: Mapping, callbacks: list) -> list[dict]:
    """Train the model itself; the trainer's log, a row per step.

    config
        `method`, `training`, `data`, `loss`, `weight` and `seed` of a run (`training.run`).

    Raises
        ValueError: an unknown loss.
        ImportError: TRL, or `datasets` that it needs, is missing.
    """
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
    """Settings of one method: a step reads `batch_size` rows; two of them are a pair of DPO."""
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
