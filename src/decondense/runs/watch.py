"""What is measured while a model is trained: its geometry, and the loss on held-out text."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.distributed.checkpoint import state_dict
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from .. import measurement, models
from ..base.machine import processes
from ..condensation import Condensation, to_arrays
from ..corpora import streams
from .configuration import Configuration

LOOK = "look-{:07d}.npz"  # what is measured at a step


class Watch(TrainerCallback):
    """Measures geometry and validation loss during training; each look is a file, so that a resumed run keeps it."""

    def __init__(
        self,
        config: Configuration,
        whole: Callable[[], models.Loaded | None],
        held_out: np.ndarray,
        folder: Path,
        progress: Callable[[int], None],
    ):
        self.whole, self.folder, self.progress = whole, folder, progress
        self.seed, self.stop_after, self.controls = config.seed, config.stop_after, config.controls
        self.texts = streams.spread(held_out, config.texts, config.text_length)
        self.validation = torch.tensor(streams.spread(held_out, config.held_out, config.length))
        spaced, first = (np.geomspace, 1) if config.spacing == "log" else (np.linspace, 0)
        looks = spaced(first, max(1, config.steps), config.checkpoints + 1).round()
        last = min(self.stop_after or config.steps, config.steps)
        self.steps = sorted({int(step) for step in looks if step <= last} | {0, last})
        self.validated = self.steps if config.spacing == "log" else [0, last]
        self.autocast = {"dtype": torch.bfloat16, "enabled": config.precision == "bfloat16"}

    def look(self, step: int) -> None:
        path = self.folder / LOOK.format(step)
        together = processes()
        # Many processes put the model together, whether or not it was seen before.
        if (path.exists() and together.num_processes == 1) or not (loaded := self.whole()):
            return
        with torch.autocast(loaded.model.device.type, **self.autocast):
            how = {"max_length": len(self.texts[0]), "seed": self.seed, "name": f"step {step}", "progress": False}
            how["controls"] = self.controls
            seen = measurement.measure(loaded.model, None, self.texts, **how)
            loss = self._validation_loss(loaded.model) if step in self.validated else None
        seen.settings["validation_loss"] = loss
        seen.save(path)

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
        return [self._read(step).settings["validation_loss"] for step in self.validated]

    def arrays(self) -> dict[str, np.ndarray]:
        """All looks as arrays for a file (`condensation.to_arrays`)."""
        return to_arrays([self._read(step) for step in self.steps])

    def _read(self, step: int) -> Condensation:
        return Condensation.load(self.folder / LOOK.format(step))


def whole_model(loaded: models.Loaded, again: Callable[[], models.Loaded]) -> models.Loaded | None:
    """The model as the first process can run it alone; `None` in the others. A sharded one is put together."""
    first = processes().is_main_process
    if any(isinstance(parameter, DTensor) for parameter in loaded.model.parameters()):
        how = state_dict.StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights = state_dict.get_model_state_dict(loaded.model, options=how)  # all processes together
        if first:
            with torch.random.fork_rng():  # drawing weights seeds torch
                loaded = again()
            loaded.model.load_state_dict(weights)
            loaded.model.to(processes().device)
    return loaded if first else None


def fingerprint(model: torch.nn.Module) -> str:
    """SHA-256 of all weights: two runs that agree in it agree in every bit."""
    digest = hashlib.sha256()
    for _, value in sorted(model.state_dict().items()):
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
