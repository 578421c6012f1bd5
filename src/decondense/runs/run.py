"""A finished training run, as the notebooks read it from its record."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import evaluate, metrics
from ..condensation import Condensation, from_arrays
from ..records import Record
from . import elsewhere


@dataclass(frozen=True)
class Run:
    """One finished run. Entry l = 0..L as in `decondense.hooks`, checkpoint 0 before the first step."""

    label: str
    seed: int
    record: Record

    @property
    def config(self) -> dict:
        return self.record.content["config"]

    @property
    def results(self) -> dict:
        return self.record.content["results"]

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.record.arrays) as file:
            return {name: file[name] for name in file.files}

    @property
    def mu(self) -> Float[np.ndarray, "checkpoints entries"]:
        """Mean cosine (diagonal included), mean over the texts."""
        return np.stack([look.mu for look in self.looks])

    @cached_property
    def looks(self) -> list[Condensation]:
        """The geometry at each checkpoint, as `measure` gave it."""
        if "header" in self._arrays:
            return from_arrays(self._arrays)
        return [self._partly_kept(checkpoint) for checkpoint in range(len(self.results["checkpoints"]))]

    def look(self, checkpoint: int = -1) -> Condensation:
        """The geometry at one checkpoint."""
        return self.looks[checkpoint]

    @cached_property
    def elsewhere(self) -> dict[str, Condensation]:
        """The geometry after the last step on other corpora (`Configuration.elsewhere`), by name."""
        return elsewhere.read(self._arrays)

    def _partly_kept(self, checkpoint: int) -> Condensation:
        """From a record of an earlier version, which keeps mu and the histogram and nothing else of a measurement."""
        mu, n = self._arrays["mu"][checkpoint], self.config["text_length"]
        return Condensation(
            name=f"step {self.results['checkpoints'][checkpoint]}",
            mu_per_text=mu,
            mu_off_diagonal_per_text=None,
            histogram=self._arrays["histogram"][checkpoint],
            tokens=np.full(len(mu), n),
            zero_vectors=None,
            nonfinite_vectors=None,
            settings={"max_length": n, "seed": self.seed},
        )

    def late_half(self, checkpoint: int = -1) -> float:
        """Mean cosine over the entries L // 2 + 1 .. L, after the last step or at another checkpoint."""
        return float(metrics.mean_of_last(self.mu[checkpoint], None))

    @property
    def likelihood(self) -> float:
        """Log-probability of the right answers (nats an item): the mean over the tasks of their means."""
        return float(self.evaluation.items.groupby("task").logprob.mean().mean())

    @property
    def curve(self) -> pd.DataFrame:
        """What was logged at each step: loss (the total), loss_language, loss_regulariser, learning_rate, grad_norm."""
        return pd.DataFrame(self.results["curve"])

    @cached_property
    def path(self) -> pd.DataFrame:
        """One row per checkpoint: step, tokens, validation_loss (NaN where not measured), rho, tau, late_half."""
        steps, losses = self.results["checkpoints"], self.results["validation_loss"]
        measured = dict(zip(steps if len(losses) == len(steps) else (steps[0], steps[-1]), losses, strict=True))
        a_step = self.results["tokens"] / max(1, steps[-1])
        return pd.DataFrame({
            "step": steps,
            "tokens": [round(a_step * step) for step in steps],
            "validation_loss": [measured.get(step, np.nan) for step in steps],
            "rho": [look.rho for look in self.looks],
            "tau": [look.tau for look in self.looks],
            "late_half": [self.late_half(number) for number in range(len(steps))],
        })  # fmt: skip

    @property
    def validation_loss(self) -> float:
        """Mean cross-entropy on the held-out windows after the last step, in nats a token."""
        return self.results["validation_loss"][-1]

    @property
    def evaluation(self) -> evaluate.Evaluation:
        """The benchmarks after the last step, item by item."""
        names = [name for name in self._arrays if name.startswith("item_")]
        items = pd.DataFrame({name.removeprefix("item_"): self._arrays[name] for name in names})
        return evaluate.Evaluation(items, self.results["tasks"])
