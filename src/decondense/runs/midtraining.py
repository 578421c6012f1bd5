"""Mid-training: a model with weights of its own goes on training."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .. import corpora, models
from ..corpora import packed, streams
from ..models import pocket
from .configuration import Configuration, flag

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


@dataclass(frozen=True, kw_only=True)
class MidTraining(Configuration):
    """A run that begins with a model's weights, with the defaults of the paper for what is not asked.

    In bfloat16 autocast, cosine decay after a warm-up over a fifth of the steps; every step is logged; checkpoints at
    equal distances, the validation loss before the first step and after the last.

    model
        As in `models.load`.
    noise_alpha, forgetting
        The baselines of Table 2: noise on the embeddings (NEFTune), active forgetting.

    Raises
        ValueError: texts longer than the model takes, and as `Configuration`.
    """

    model: str
    batch_size: int = 8
    length: int = 128
    learning_rate: float = 5e-5
    checkpoints: int = 5
    subsample: int | None = 256
    noise_alpha: float | None = None
    forgetting: bool = False

    kind: ClassVar[str] = "midtraining"
    precision: ClassVar[str] = "bfloat16"
    spacing: ClassVar[str] = "linear"
    logging_steps: ClassVar[int] = 1
    distillation: ClassVar[None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("forgetting", self.forgetting)
        for name in ("length", "text_length"):
            if (most := _positions(self.model)) and getattr(self, name) > most:
                raise ValueError(f"{name} is {getattr(self, name)}, and {self.model} takes {most} tokens at most.")

    def as_dict(self) -> dict:
        found = super().as_dict()
        if self.model not in pocket.SIZES:
            del found["train_tokens"]
        return found

    @property
    def name(self) -> str:
        condition = self.condition if self.steps or self.loss else "none"
        condition = "noisy_embedding" if self.noise_alpha else condition
        condition = "active_forgetting" if self.forgetting else condition
        return f"midtraining-{self.model.rstrip('/').split('/')[-1].lower()}-{condition}"

    def load(self) -> models.Loaded:
        how = {"train_tokens": self.train_tokens} if self.model in pocket.SIZES else {}
        loaded = models.load(self.model, sources=self.sources, seed=0, **how)
        if loaded.model.get_output_embeddings() is None:
            raise ValueError(f"{self.model} has no language-model head, so there is no loss. Take another model.")
        return loaded

    def prepare(self) -> None:
        if self.model in pocket.SIZES:
            pocket.train_missing([self.model], self.train_tokens)
        corpus = corpora.load(self.corpus, self.sources)
        streams.stream(corpus, models.load_tokenizer(self.model, self.sources), self.needs)

    def parameters(self) -> int:
        if self.model in pocket.SIZES:
            size = pocket.SIZES[self.model]
            return (16 * size.heads) * (12 * size.layers * 16 * size.heads + pocket.VOCABULARY + pocket.CONTEXT)
        if Path(model := packed.place(self.model)).is_dir():
            return models.parameters(model)
        return models.resolve(self.model)[1].get("parameters", 1_000_000_000)


def _positions(model: str) -> int | None:
    """As `models.positions`; not known of weights that are carried, while they are not here."""
    if not packed.is_packed(model):
        return models.positions(model)
    with suppress(FileNotFoundError, ValueError):
        return models.positions(packed.place(model))
