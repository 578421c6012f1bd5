"""Condensation watched while a model trains: `look` for any loop, a callback for any Hugging Face `Trainer`."""

import inspect
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback
from transformers.trainer_callback import CallbackHandler

from .. import hooks, metrics
from ..condensation import Condensation
from ..measurement import measure
from ..token_ids import token_ids
from .history import PREFIX, plot, rows, save

MAX_LENGTH = 256  # tokens of a text
PASS_TOKENS = 2048  # texts of one length go together up to so many tokens


def look(model: torch.nn.Module, tokenizer, texts: Sequence, *, max_length: int = MAX_LENGTH) -> dict[str, float]:
    """What the callbacks log, at the weights as they are: `summary` of `measure`, and the effective rank of entry L.

    `condensation/effective_rank` is `metrics.effective_rank` of the last entry, averaged over the texts. `texts` as in
    `measure`: strings, chats, or sequences of token ids; without strings and chats `tokenizer` may be None.

    No histogram, no head, and no gradient: the cost is that of one forward pass over the texts in evaluation mode, the
    memory that of the forward pass of `PASS_TOKENS` tokens or the longest text. The precision is that of the weights,
    without autocast. The model is back in its mode afterwards, and nothing that the training draws is changed: the
    random states of torch (the CPU and the model's CUDA devices), NumPy and Python are put back.

    Raises
        ValueError: as `measure`.
    """
    last, ranks = hooks.n_entries(model) - 1, []

    def at_last(entry: int, hidden: torch.Tensor) -> None:
        if entry == last:
            ranks.extend(metrics.effective_rank(z) for z in hidden)

    with _same_draws(model), _short_texts_pass():
        sequences = [ids.tolist() for ids in token_ids(model, tokenizer, texts, max_length)]
        same = len({len(s) for s in sequences}) == 1  # padding would be among the tokens of the effective rank
        how = {"max_length": max_length, "histogram": None, "progress": False}
        with hooks.residual_stream(model, at_last):
            result = measure(model, None, sequences, batch_tokens=PASS_TOKENS if same else 1, **how)
    return summary(result) | {f"{PREFIX}effective_rank": float(np.mean(ranks))}


def summary(result: Condensation) -> dict[str, float]:
    """A measurement as flat numbers for a logger, all under `condensation/`.

    `mu_layer_00` to `mu_layer_<L>` are mu at the L + 1 entries of the residual stream. `mu_first` is entry 0,
    `mu_middle` entry L // 2, `mu_last` entry L, `mu_late_half` the mean over the entries L // 2 + 1 to L, and `rho`
    Spearman's correlation of mu with depth. mu is the paper's: it has the diagonal in it, which adds about 1 / N.
    """
    mu, last = result.mu, len(result.mu) - 1
    numbers = {
        "mu_first": mu[0],
        "mu_middle": mu[last // 2],
        "mu_last": mu[last],
        "mu_late_half": mu[last // 2 + 1 :].mean(),
        "rho": result.rho,
    }
    digits = max(2, len(str(last)))
    layers = {f"mu_layer_{entry:0{digits}d}": value for entry, value in enumerate(mu)}
    return {PREFIX + name: float(value) for name, value in (numbers | layers).items()}


@contextmanager
def _short_texts_pass() -> Iterator[None]:
    """No warning of texts shorter than `max_length`, which a training would show at every look."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*shorter than max_length")
        yield


@contextmanager
def _same_draws(model: torch.nn.Module) -> Iterator[None]:
    """What is drawn inside leaves no trace: not in torch, NumPy or Python."""
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002, the state that the training draws from
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


class CondensationCallback(TrainerCallback):
    """Watches condensation in a run of any Hugging Face `Trainer`, those of TRL included::

        watch = CondensationCallback(texts, every=100, tokenizer=tokenizer)
        Trainer(model=model, args=args, train_dataset=data, callbacks=[watch]).train()

    `look` is taken before the first step, every `every` steps, and after the last. Its numbers go to
    `trainer.state.log_history` and to all that the Trainer reports to (TensorBoard, W&B, trackio, MLflow, the terminal)
    as a row of their own; the rows of the loss stay as they are. At the end `condensation.csv` and `condensation.png`
    (`plot`) are written to `output_dir`. A run that goes on from a checkpoint goes on with the history that the
    checkpoint has. `history` has the rows so far, `plot()` draws them.

    texts
        Strings, chats, or sequences of token ids; tokenized once. The same in all runs that are to be compared, at
        least several, of a few hundred tokens each.
    tokenizer
        Of the strings and chats; left out, it is the Trainer's `processing_class`.

    The training is the same to the last bit with and without it. In several processes the first measures alone; where
    the weights are sharded (FSDP 2, tensor parallel) all take part. For the cost see `look`.

    Raises
        ValueError: no text, one string for a list, `every` below 1; when the training begins: strings without a
            tokenizer, weights sharded by FSDP 1 or DeepSpeed ZeRO 3, and what `measure` raises.
    """

    def __init__(self, texts: Sequence, every: int = 100, *, tokenizer=None, max_length: int = MAX_LENGTH):
        check(texts, every)
        self.texts, self.every, self.tokenizer, self.max_length = texts, every, tokenizer, max_length
        self.history: list[dict] = []

    def plot(self):
        """`plot` of the history."""
        return plot(self.history)

    def on_train_begin(self, args, state, control, model=None, processing_class=None, **kwargs):
        given = processing_class if self.tokenizer is None else self.tokenizer
        tokenizer = getattr(given, "tokenizer", given)  # a processor has one
        self.measures = takes_part(model, state.is_world_process_zero)
        self.ids = ids_to_watch(model, tokenizer, self.texts, self.max_length)
        self.handler = _calling_handler()
        self.history = rows(state.log_history)
        return control if self.history else self._look(args, state, control, model)

    def on_step_end(self, args, state, control, model=None, **kwargs):
        last = state.global_step >= state.max_steps
        return self._look(args, state, control, model) if last or state.global_step % self.every == 0 else control

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        # Not in `on_train_end`: by then the weights may be those of the best checkpoint.
        return self._look(args, state, control, model) if control.should_training_stop else control

    def on_train_end(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            save(self.history, Path(args.output_dir))

    def _look(self, args, state, control, model):
        seen = self.history and self.history[-1]["step"] == state.global_step
        if seen or not self.measures:
            return control
        numbers = look(model, None, self.ids, max_length=self.max_length)
        self.history.append({"step": state.global_step} | numbers)
        logs = numbers | {"epoch": state.epoch}
        state.log_history.append(logs | {"step": state.global_step})
        # Not `Trainer.log`, whose form in TRL empties what is gathered for the row of the loss; nor the handler's
        # `on_log`, which takes back that this row is due.
        return self.handler.call_event("on_log", args, state, control, logs=logs)


def check(texts: Sequence, every: int) -> None:
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings: [text].")
    if len(texts) == 0:
        raise ValueError("No text given to watch. Give some, or take them with decondense.corpora.sample_texts.")
    if every < 1:
        raise ValueError(f"every must be at least 1 step, got {every}.")


def check_tokenizer(tokenizer, texts: Sequence) -> None:
    """Refuse strings where there is nothing to make token ids with."""
    if tokenizer is None and any(isinstance(text, str) for text in texts):
        raise ValueError("The texts to watch are strings, and there is no tokenizer. Give the callback tokenizer=...")


def ids_to_watch(model: torch.nn.Module, tokenizer, texts: Sequence, max_length: int) -> list[torch.Tensor]:
    """`token_ids` at the beginning of a training."""
    check_tokenizer(tokenizer, texts)
    with _short_texts_pass():
        return token_ids(model, tokenizer, texts, max_length)


def takes_part(model: torch.nn.Module, first: bool) -> bool:
    """Whether this process measures: the first, or all where a forward pass needs all."""
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        raise ValueError("Weights sharded by FSDP 1 cannot be watched. Take FSDP 2 (fsdp_version: 2), or DDP.")
    if any(hasattr(p, "ds_id") for p in model.parameters()):
        raise ValueError("Weights sharded by DeepSpeed ZeRO 3 cannot be watched. Take ZeRO 1 or 2, FSDP 2, or DDP.")
    return first or any(isinstance(p, DTensor) for p in model.parameters())


def _calling_handler() -> CallbackHandler:
    """What calls the callbacks of the Trainer that is running, this one among them.

    A callback is given neither the Trainer nor the other callbacks, and those that report come before it: what it adds
    to `logs` reaches none of them. So this looks who is calling.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(caller := frame.f_locals.get("self"), CallbackHandler):
            return caller
        frame = frame.f_back
    raise RuntimeError("CondensationCallback is called by a Trainer of transformers alone; in a loop take `look`.")
