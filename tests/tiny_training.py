"""Tiny training runs, for the tests of trainers."""

import json
import tempfile

import numpy as np
import torch
from toys import VOCABULARY, tiny
from transformers import TrainerCallback

from decondense.trainers import DispersionTrainer, paper_arguments

LENGTH = 24
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def model(depth=4, **changes):
    """GPT-2 of `depth` blocks; the same weights at every call."""
    return tiny("gpt2", n_layer=depth, bos_token_id=0, eos_token_id=0, **NO_DROPOUT | changes)


def rows(count=64, padded=False):
    """Texts of LENGTH tokens; `padded`: of 4 to LENGTH tokens, with `attention_mask`."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, VOCABULARY, (count, LENGTH), generator=generator)
    lengths = torch.randint(4, LENGTH + 1, (count, 1), generator=generator)
    mask = torch.arange(LENGTH) < (lengths if padded else LENGTH)
    labels = ids.where(mask, -100)
    labels[:, 0] = -100  # nothing predicts the first token; some releases of transformers count it all the same
    columns = {"input_ids": ids, "labels": labels} | ({"attention_mask": mask.long()} if padded else {})
    return [{name: column[i] for name, column in columns.items()} for i in range(count)]


def arguments(folder, steps=4, **others):
    """The paper's, at a learning rate that shows in a few steps, on the CPU in float32."""
    usual = {"per_device_train_batch_size": 8, "learning_rate": 1e-2, "logging_steps": 1, "save_strategy": "no"}
    here = {"bf16": False, "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False}
    return paper_arguments(folder, steps, **usual | here | others)


def logs(trainer):
    """What was logged in training, step by step."""
    keys = ("loss", "loss_language", "loss_regulariser", "grad_norm", "learning_rate")
    return [[log[key] for key in keys] for log in trainer.state.log_history if "loss" in log]


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def make(folder, *, args=None, kind=DispersionTrainer, net=None, data=None, callbacks=(), **options):
    """A trainer of a tiny model; `args` go to its `TrainingArguments`."""
    data = rows() if data is None else data
    net = model() if net is None else net
    args = arguments(folder, **args or {})
    return kind(model=net, args=args, train_dataset=data, eval_dataset=data[:16], callbacks=list(callbacks), **options)


def run(folder, **how):
    trainer = make(folder, **how)
    trainer.train()
    return trainer


class Watch(TrainerCallback):
    """Calls `see(state, model, optimizer)` at the event `when`."""

    def __init__(self, when, see):
        setattr(self, when, lambda args, state, control, **k: see(state, k["model"], k["optimizer"]))


def cosine_rate(step, steps, peak, warm_up):
    return peak * (
        step / warm_up if step < warm_up else 0.5 + 0.5 * np.cos(np.pi * (step - warm_up) / (steps - warm_up))
    )


def train_padded(batch):
    """Logs and some of the weights of a run in float64 with `batch` texts a process and every token in the loss."""
    with tempfile.TemporaryDirectory() as folder:
        args = arguments(folder, per_device_train_batch_size=batch)
        trainer = DispersionTrainer(model=model().double(), args=args, train_dataset=rows(padded=True), subsample=None)
        trainer.train()
    return {"processes": args.world_size, "logs": logs(trainer), "weights": weights(trainer)[::50].tolist()}


def write_padded(path, batch):
    """What each of two processes does; the first writes."""
    result = train_padded(batch)
    if torch.distributed.get_rank() == 0:
        with open(path, "w") as file:
            json.dump(result, file)
