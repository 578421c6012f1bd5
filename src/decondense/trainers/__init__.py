"""Training with a loss on the residual stream: in Hugging Face's `Trainer`, in any trainer built on it, or by hand."""

import torch
from transformers import TrainingArguments

from .dispersion import DispersionMixin, DispersionTrainer
from .forgetting import ActiveForgetting
from .layers import LAYERS, Layers, entries, per_layer
from .watching import CondensationCallback

__all__ = [
    "LAYERS",
    "WARM_UP",
    "ActiveForgetting",
    "CondensationCallback",
    "DispersionMixin",
    "DispersionTrainer",
    "Layers",
    "entries",
    "paper_arguments",
    "per_layer",
]

WARM_UP = 0.2  # share of the steps


def paper_arguments(output_dir, max_steps: int, *, world_size: int = 1, **others) -> TrainingArguments:
    """`TrainingArguments` with the paper's optimiser: AdamW, cosine decay after a warm-up over 20 % of the steps.

    Peak learning rate 5e-5 (GPT-2 mid-training, Table S1) times sqrt(`world_size`), weight decay 0.1, betas 0.9 and
    0.95, gradients clipped at 1, bfloat16 autocast where there is a GPU. `others` go to `TrainingArguments` and come
    first.

    Source: Table S1; warm-up, decay, betas, clip and the factor sqrt(world size) from the released code.
    """
    settings = {
        "learning_rate": 5e-5 * world_size**0.5,
        "lr_scheduler_type": "cosine",
        "warmup_steps": int(WARM_UP * max_steps),
        "weight_decay": 0.1,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "max_grad_norm": 1.0,
        "bf16": torch.cuda.is_available(),
        "report_to": "none",
    }
    return TrainingArguments(output_dir=str(output_dir), max_steps=max_steps, **settings | others)
