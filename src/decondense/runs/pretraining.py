"""Training from scratch: a shape, a condition, a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from .. import corpora, models
from ..base.errors import unknown
from ..corpora import streams
from ..models import pocket
from ..trainers import distillation
from .configuration import Configuration, number

PRECISIONS, SCHEDULES = ("float32", "bfloat16"), ("cosine", "linear")


@dataclass(frozen=True, kw_only=True)
class PreTraining(Configuration):
    """A run that begins with new weights; its seed draws them and the order of the data.

    experiment
        The figure or table that it is for: the name of its record begins with it.
    shape
        `architecture`, the name of a configuration class of transformers, and its arguments; or `{"like": name}` for
        the published shape of a model that `models.table()` knows. Vocabulary (the tokenizer's) and context (the
        longer of `length` and `text_length`) are added; there is no dropout unless the shape says so. A changed shape
        is added to the one before.
    schedule, warm_up
        Decay after a linear warm-up over this share of the steps.
    precision
        "float32", or "bfloat16" by autocast: faster on a GPU, slower for small models on a CPU.
    checkpoints
        Geometry and validation loss are measured before the first step and then `checkpoints` + 1 times at steps
        1 .. `steps`, spaced evenly in the logarithm.
    tokenizer
        The model whose tokenizer is used, as in `models.load_tokenizer`.
    distillation
        `teacher` (a model that `models.load` knows), and `kind`, `share` and `temperature` as in `DistillationTrainer`.
    processes
        That train together; each sees as many tokens as `Configuration` says.

    Raises
        ValueError: an unknown architecture, precision or schedule, a distillation without a teacher, and as
            `Configuration`.
    """

    experiment: str
    shape: Mapping
    batch_size: int = 4
    length: int = 256
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warm_up: float = 0.1
    precision: str = "float32"
    checkpoints: int = 8
    tokenizer: str = "pocket-small"
    distillation: Mapping | None = None
    processes: int = 1

    kind: ClassVar[str] = "pretraining"
    derived: ClassVar[tuple[str, ...]] = ("spacing", "logging_steps", "forgetting")
    spacing: ClassVar[str] = "log"
    noise_alpha: ClassVar[None] = None
    forgetting: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("precision", PRECISIONS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if not 0 <= number("warm_up", self.warm_up) < 1:
            raise ValueError(f"warm_up is a share of the steps, 0 up to 1, got {self.warm_up}.")
        object.__setattr__(self, "warm_up", float(self.warm_up))
        object.__setattr__(self, "distillation", _distillation(self.distillation))
        _architecture(_table(self.shape))

    def as_dict(self) -> dict:
        found = super().as_dict() | {name: getattr(self, name) for name in self.derived}
        if self.distillation is None:
            del found["train_tokens"]
        if self.processes == 1:  # usual, and not said
            del found["processes"]
        return found

    def changed(self, *, shape: object = None, **changes) -> "PreTraining":
        return super().changed(shape=dict(self.shape) | _table({} if shape is None else shape), **changes)

    @property
    def logging_steps(self) -> int:
        """A run logs a hundred means."""
        return max(1, self.steps // 100)

    @property
    def schedule_arguments(self) -> dict:
        return {"lr_scheduler_type": self.schedule, "warmup_steps": round(self.warm_up * self.steps)}

    @property
    def name(self) -> str:
        condition = self.condition
        if self.distillation and self.distillation["share"]:
            condition = f"{self.distillation['kind']}-{condition}"
        architecture = _architecture(self.shape)[0].__name__.removesuffix("Config").lower()
        return f"{self.experiment}-{architecture}-{condition}"

    def load(self) -> models.Loaded:
        tokenizer = models.load_tokenizer(self.tokenizer, self.sources)
        model = self.new_model(len(tokenizer))
        about = {"source": "trained from scratch", "seed": self.seed, "parameters": model.num_parameters()}
        return models.Loaded(model, tokenizer, about)

    def new_model(self, vocabulary: int) -> torch.nn.Module:
        """The model with its weights drawn. GPT-2's dropout (0.1 in its class) is 0 unless the shape names it."""
        from transformers import AutoModelForCausalLM

        built = self._model_configuration(vocabulary)
        torch.manual_seed(self.seed)
        return AutoModelForCausalLM.from_config(built)

    def prepare(self) -> None:
        if self.distillation and self.distillation["teacher"] in pocket.SIZES:
            pocket.train_missing([self.distillation["teacher"]], self.train_tokens)
        corpus = corpora.load(self.corpus, self.sources)
        streams.stream(corpus, models.load_tokenizer(self.tokenizer, self.sources), self.needs)

    def parameters(self) -> int:
        from transformers import AutoModelForCausalLM

        vocabulary = len(models.load_tokenizer(self.tokenizer, self.sources))
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(self._model_configuration(vocabulary)).num_parameters()

    def _model_configuration(self, vocabulary: int):
        architecture, arguments = _architecture(self.shape)
        usual = {"max_position_embeddings": max(self.length, self.text_length), "vocab_size": vocabulary}
        usual |= {"bos_token_id": 0, "eos_token_id": 0, "loss_type": "ForCausalLM"}
        if architecture.__name__ == "GPT2Config":
            usual |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return architecture(**usual | arguments)


def _distillation(asked: object) -> dict | None:
    usual = {"kind": "logits", "share": 0.5, "temperature": None}
    if asked is None:
        return None
    if not isinstance(asked, Mapping) or "teacher" not in asked or set(asked) - {"teacher", *usual}:
        raise ValueError(f"distillation must be a table with a teacher, and maybe {', '.join(usual)}; got {asked!r}.")
    found = usual | dict(asked)
    found["share"] = number("share", found["share"])
    if found["temperature"] is not None:
        found["temperature"] = number("temperature", found["temperature"])
    distillation.check(found["kind"], found["share"], found["temperature"])
    return found


def _table(shape: object) -> dict:
    if not isinstance(shape, Mapping):
        raise ValueError(f"shape must be a table such as {{like = 'gpt2'}}, got {shape!r}.")
    return dict(shape)


def _architecture(shape: Mapping) -> tuple[type, dict]:
    """The configuration class of a shape, and its arguments."""
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
