"""One model under many schemes: its loss on held-out text, the log-probability of right answers, its geometry."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ... import evaluate, measure, models
from ...quantise import Scheme, layers, outliers, quantised

AT_ONCE = 8  # windows of one forward pass


class Asked(NamedTuple):
    """What is measured of a model under each scheme.

    windows
        Token ids of held-out text, on which the loss is taken; the first `texts` of them are also measured.
    tasks
        Benchmarks and limits, as in `evaluate.evaluate`; of the schemes whose labels are in `scored` only.
    """

    windows: Int[Tensor, "windows tokens"]
    texts: int
    tasks: Mapping[str, int]
    scored: Sequence[str]
    sources: Sequence[str]
    seed: int


def under(loaded: models.Loaded, schemes: Sequence[Scheme], asked: Asked) -> tuple[list[dict], dict]:
    """A row for the model as it is, and one for each scheme; and outliers of weights and inputs, by layer.

    Of a row: `scheme` (its label); `loss` (nats a token, the mean of `losses`, one a window); `mu` by entry; and
    `logprob` (nats an item: the mean over the tasks of their means) where the scheme is scored.
    """
    loaded.model.eval()
    rows = list(_rows(loaded, schemes, asked))
    found = outliers(loaded.model, asked.windows[: asked.texts]) if schemes else {}
    return rows, {name: {key: round(value, 4) for key, value in layer.items()} for name, layer in found.items()}


def _rows(loaded: models.Loaded, schemes: Sequence[Scheme], asked: Asked) -> Iterator[dict]:
    for scheme in (None, *schemes):
        label = scheme.label if scheme else "as it is"
        with quantised(loaded.model, scheme) if scheme else nullcontext():
            row = {"scheme": label, **_losses(loaded.model, asked.windows), "mu": _mu(loaded.model, asked)}
            if asked.tasks and (scheme is None or label in asked.scored):
                row["logprob"] = _logprob(loaded, asked)
        yield row


def _losses(model: torch.nn.Module, windows: Int[Tensor, "windows tokens"]) -> dict:
    each = losses(model, windows).tolist()
    return {"loss": float(np.mean(each)), "losses": [round(value, 5) for value in each]}


@torch.no_grad()
def losses(model: torch.nn.Module, windows: Int[Tensor, "windows tokens"]) -> Float[Tensor, "windows"]:
    """Mean cross-entropy of each window, in nats a token; the first token is read and not predicted."""
    device, found = next(model.parameters()).device, []
    for part in windows.split(AT_ONCE):
        logits = model(input_ids=part.to(device)).logits[:, :-1].float()
        each = torch.nn.functional.cross_entropy(logits.mT, part[:, 1:].to(device), reduction="none")
        found.append(each.mean(1).cpu())
    return torch.cat(found)


def _mu(model: torch.nn.Module, asked: Asked) -> list[float]:
    texts = asked.windows[: asked.texts].tolist()
    how = {"max_length": len(texts[0]), "seed": asked.seed, "histogram": None, "progress": False}
    return [round(float(value), 6) for value in measure(model, None, texts, **how).mu]


def _logprob(loaded: models.Loaded, asked: Asked) -> float:
    how = {"few_shot": 0, "sources": tuple(asked.sources), "progress": False}
    limit, *others = set(asked.tasks.values())
    if others:
        raise ValueError(f"All tasks are scored with one limit, got {dict(asked.tasks)}: give them the same.")
    items = evaluate.evaluate(loaded.model, loaded.tokenizer, list(asked.tasks), limit=limit, **how).items
    return float(items.groupby("task").logprob.mean().mean())


def about(model: torch.nn.Module) -> dict:
    """What of a model is rounded: the share of its parameters, its layers, and how many are left for which reason."""
    found = layers(model)
    reasons = list(found.left.values())
    left = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    return {"share": round(found.share, 4), "layers": len(found.rounded), "left": left}
