"""Condensation watched in a run of Lightning: what `trainers.CondensationCallback` is to a Hugging Face `Trainer`."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ..backbones import pretrained
from ..base.extras import need
from ..trainers import watching
from ..trainers.history import plot, save

try:
    _lightning = need("lightning.pytorch", extra="lightning")
except ImportError as missing:
    try:
        import pytorch_lightning as _lightning  # the same code under its older name
    except ImportError:
        raise missing from None


class CondensationCallback(_lightning.Callback):
    """Watches condensation in a run of Lightning::

        lightning.Trainer(callbacks=[CondensationCallback(texts, tokenizer=tokenizer)]).fit(module, loader)

    `trainers.watching.look` is taken before the first step, every `every` optimizer steps and after the last. Its
    numbers go to every logger of the Trainer at that step, whatever `log_every_n_steps`, and to
    `trainer.callback_metrics`. At the end `condensation.csv` and `condensation.png` are written to `trainer.log_dir`.
    `history` has the rows so far, `plot()` draws them; both are in Lightning's checkpoints.

    texts
        Strings, chats, or sequences of token ids; tokenized when the training begins.
    model
        The name of the attribute of the LightningModule that holds the model to watch; it can be left out where the
        module has one model of Hugging Face.

    The training is the same to the last bit with and without it. In several processes the first measures alone; where
    the weights are sharded (FSDP 2) all take part.

    Raises
        ImportError: Lightning is not installed.
        ValueError: as `trainers.CondensationCallback`; when the training begins: a module with no model of Hugging
            Face, or with several of which none is named.
    """

    def __init__(
        self,
        texts: Sequence,
        every: int = 100,
        *,
        tokenizer=None,
        max_length: int = watching.MAX_LENGTH,
        model: str | None = None,
    ):
        watching.check(texts, every)
        watching.check_tokenizer(tokenizer, texts)
        self.texts, self.tokenizer = texts, tokenizer
        self.every, self.max_length, self.model = every, max_length, model
        self.history: list[dict] = []

    def plot(self):
        """`trainers.history.plot` of the history."""
        return plot(self.history)

    def on_train_start(self, trainer, pl_module) -> None:
        self.watched = watched(pl_module, self.model)
        self.measures = watching.takes_part(self.watched, trainer.is_global_zero)
        self.ids = watching.ids_to_watch(self.watched, self.tokenizer, self.texts, self.max_length)
        if trainer.global_step == 0:
            self.history = []
        if not self.history:
            self._look(trainer)

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if trainer.global_step % self.every == 0:
            self._look(trainer)

    def on_train_end(self, trainer, pl_module) -> None:
        self._look(trainer)
        folder = trainer.log_dir or trainer.default_root_dir  # asked of all processes, as Lightning demands
        if trainer.is_global_zero:
            save(self.history, Path(folder))

    def state_dict(self) -> dict:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict) -> None:
        self.history = state_dict["history"]

    def _look(self, trainer) -> None:
        step = trainer.global_step
        if not self.measures or (self.history and self.history[-1]["step"] == step):  # a batch may be no step
            return
        numbers = watching.look(self.watched, None, self.ids, max_length=self.max_length)
        self.history.append({"step": step} | numbers)
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in numbers.items()})
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.log_metrics(numbers, step=step)


def watched(pl_module: torch.nn.Module, name: str | None = None) -> torch.nn.Module:
    """The model of Hugging Face in a LightningModule (`backbones.pretrained`), or in its attribute `name`.

    Raises
        ValueError: there are several, or nothing of this name.
    """
    chosen = pl_module if name is None else getattr(pl_module, name, None)
    if not isinstance(chosen, torch.nn.Module):
        there = ", ".join(child for child, _ in pl_module.named_children()) or "none"
        raise ValueError(f"{type(pl_module).__name__} has no module {name!r}. It has {there}.")
    try:
        return pretrained(chosen)
    except ValueError as error:
        raise ValueError(f"{error} Name its attribute in the callback: model=...") from None
