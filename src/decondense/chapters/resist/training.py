"""One small model of a design, trained from new weights: its validation loss and its geometry at the end."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from ... import losses, measure, records, surveys
from ...base import machine
from ...models.variants import designs, sphere
from ...trainers.schedule import order, rate
from ...trainers.step import step
from . import data as windows
from . import experts

LOOKS = (1 / 15, 1)  # of the steps: when the validation loss is taken
WARM_UP = 0.1  # of the steps; then the rate falls linearly to 0
DECAYS = (0.9, 0.95)  # of Adam's moments
VALIDATED = 64  # rows of one forward pass
TOLERANCE = 0.02  # nats, of a check run: room for another processor


def run(
    design: str, shape: Mapping, data: Mapping, training: Mapping, seed: int,
    *, loss: str | None = None, weight: float = 1.0, sources: Sequence[str] = (),
):  # fmt: skip
    """The record of one model; a committed one is taken where there is one.

    design, shape
        As for `designs.config`. The seed draws the first weights and the order of the data: the same for all designs.
    data
        As for `data.texts`.
    training
        `steps`, `batch_size` (rows), `learning_rate` (of AdamW without weight decay), `held_out` (rows for the
        validation loss), `texts` (how many of these the geometry is measured on, with its controls).
    loss, weight
        Of `losses`, on all entries of the residual stream but the first.

    In the results: `parameters`; `course`, steps and the validation loss after them (nats a token) at `LOOKS`; what
    `surveys.summary` has; of a mixture of experts `experts` (`experts.alike`).

    Raises
        ValueError: an unknown design or loss, no step; what `data.texts` raises.
    """
    if training["steps"] < 1:
        raise ValueError(f"steps must be above 0, got {training['steps']}.")
    asked = {"design": design, "shape": dict(shape), "data": dict(data), **training, "loss": loss}
    config = asked | {"weight": weight if loss else None, "seed": seed}
    designs.config(design, shape, data["vocabulary"])  # a bad name is refused before the corpus is read
    name = f"resist-{slug(design)}-{loss or 'train'}"
    compute = lambda: _trained(config, sources)
    return records.run(name, config, compute, __name__, surroundings=_surroundings(), committed=True)


def slug(design: str) -> str:
    """The name of a design in the name of a file."""
    return design.lower().replace(" ", "-")


def _surroundings() -> dict:
    return {"versions": {name: records.version(name) for name in ("torch", "transformers")}, "device": machine.device()}


def start(config: Mapping, sources: Sequence[str]) -> tuple[torch.nn.Module, windows.Texts]:
    """The model of a run with its first weights, and its texts."""
    texts = windows.texts(config["data"], sources, config["held_out"])
    model = designs.model(config["design"], config["shape"], config["data"]["vocabulary"], config["seed"])
    return model.to(machine.device()), texts


def courses(model: torch.nn.Module, texts: windows.Texts, config: Mapping, until: int) -> Iterator[tuple[int, float]]:
    """Train up to step `until` of the schedule; after each of `LOOKS` the step, and the validation loss."""
    steps, looks = config["steps"], {max(1, round(share * config["steps"])) for share in LOOKS}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config["learning_rate"], betas=DECAYS, weight_decay=0, fused=True
    )
    optimizer.register_step_post_hook(lambda *_: sphere.unit(model))  # nothing but where rows have length 1
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda number: rate(number, steps, WARM_UP))
    loss = losses.get(config["loss"]) if config["loss"] else None
    device = next(model.parameters()).device
    batches = order(len(texts.train), config["batch_size"], config["seed"])
    for number in range(1, until + 1):
        rows = texts.batch(next(batches)).to(device)
        step(model.train(), rows, optimizer, loss, config["weight"] or 0.0)
        schedule.step()
        if number in looks or number == until:
            yield number, validation_loss(model, texts.held_out)


@torch.no_grad()
def validation_loss(model: torch.nn.Module, rows: Int[Tensor, "rows tokens"]) -> float:
    """Mean cross-entropy in nats a token, of the logits alone: without what a router adds to the loss."""
    device, total = next(model.parameters()).device, 0.0
    for part in rows.split(VALIDATED):
        logits = model.eval()(input_ids=part.to(device)).logits[:, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits.mT, part[:, 1:].to(device), reduction="sum"))
    return total / rows[:, 1:].numel()


def _trained(config: Mapping, sources: Sequence[str]) -> tuple[dict, bytes]:
    model, texts = start(config, sources)
    course = [{"step": number, "validation_loss": loss} for number, loss in
              courses(model, texts, config, config["steps"])]  # fmt: skip
    rows = texts.held_out[: config["texts"]]
    how = {"controls": True, "seed": config["seed"], "name": config["design"], "progress": False, "histogram": None}
    found = measure(model.eval(), None, rows.tolist(), max_length=rows.shape[1], **how)
    about = {"model": config["design"], "parameters": sum(p.numel() for p in model.parameters())}
    results = {"parameters": about["parameters"], "course": course}
    if config["design"] == designs.EXPERTS:
        results["experts"] = experts.alike(model, rows.to(machine.device()))
    return results | surveys.summary(found, about, texts.corpus), found.to_bytes()


def check(record: records.Record, sources: Sequence[str] = ()):
    """The first fifteenth of the steps of a run made again now, beside its record: the validation loss."""
    config, first = record.content["config"], record.content["results"]["course"][0]
    model, texts = start(config, sources)
    *_, (_, now) = courses(model, texts, config, first["step"])
    name = f"{config['design']}: validation loss, step {first['step']}"
    return records.beside_record([(name, first["validation_loss"], now, TOLERANCE)])
