"""What each loss sees of a real layer, and what it is blind to: measured by changing one thing at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from ... import corpora, losses, models, records
from ...corpora import Corpus
from ...losses import forces
from ...models import pocket
from ...surveys import layer

States = Float[Tensor, "batch tokens features"]
DROPOUT = 0.1  # of the states, for losses of two views: a pretrained model may have no dropout of its own


class Seen(NamedTuple):
    """By loss: where it pushes, how the value answers to changes, and the cosines between the forces; the record."""

    pushed: pd.DataFrame
    answers: pd.DataFrame
    alike: pd.DataFrame
    record: records.Record


def seen(
    model: str, corpus: str, chosen: Mapping[str, dict], *, depth: float = 0.5, n_texts: int = 8, max_length: int = 256,
    sources: Sequence[str] = models.SOURCES, train_tokens: int = pocket.TRAIN_TOKENS, seed: int = 0,
) -> Seen:  # fmt: skip
    """The losses `chosen` (a name for the row; `loss`, and maybe `options`) at the entry round(depth L) of a model.

    pushed
        `forces.concentration`, and `radial`: the share of the squared force that changes norms alone.
    answers
        The value; that of tokens which are all one (`collapsed`); and how far it moves, in shares of its size, when
        one thing changes (`CHANGES`). 0 is blind to it.
    alike
        Cosines between the forces of all tokens together.
    n_texts, max_length
        All texts are cut to the length of the shortest.

    Raises
        ValueError: a depth outside (0, 1]; what `models.load`, `corpora.load` and `losses.get` raise.
    """
    layer.check_depth(depth)
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    text = corpora.load(corpus, sources)
    config = {
        "model": model, "corpus": corpus, "losses": {label: dict(one) for label, one in chosen.items()}, "depth": depth,
        "n_texts": n_texts, "max_length": max_length, "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip
    name = f"seen-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(name, config, lambda: _measured(config, text), __name__)
    tables = record.content["results"]["tables"]
    return Seen(*(pd.DataFrame.from_dict(tables[which], orient="index") for which in Seen._fields[:-1]), record)


def _measured(asked: dict, text: Corpus) -> tuple[dict, None]:
    how = {"train_tokens": asked["train_tokens"]} if "train_tokens" in asked else {}
    model, tokenizer, about = models.load(asked["model"], sources=asked["sources"], seed=asked["seed"], **how)
    ids = layer.rows(text, tokenizer, asked["n_texts"], asked["max_length"], asked["seed"])
    entry = layer.entry_at(model, asked["depth"])
    z = layer.states(model, ids, entry).double()
    chosen = {label: _loss(**one, seed=asked["seed"]) for label, one in asked["losses"].items()}
    tables = {"pushed": pushed(z, chosen), "answers": answers(z, chosen), "alike": forces.alike(z, chosen)}
    found = {"entry": entry, "tokens": ids.shape[1], "model": about}
    found["corpus"] = {"name": asked["corpus"], "sha256": text.sha256}
    return {"tables": {name: table.to_dict("index") for name, table in tables.items()}, **found}, None


def _loss(loss: str, seed: int, options: Mapping | None = None) -> Callable[[States], Tensor]:
    """The loss of z alone: with the same random lines at every call, and a second view by dropout of the states."""
    found = losses.get(loss, **options or {})

    def of_states(z: States) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        if not losses.needs_views(found):
            return found(z, generator=generator)
        kept = torch.rand(z.shape, generator=generator) >= DROPOUT
        return found(z, views=z * kept / (1 - DROPOUT))

    return of_states


def pushed(z: States, chosen: Mapping[str, Callable]) -> pd.DataFrame:
    """`forces.concentration` with one column more, `radial`."""
    radial = {label: forces.radial(loss, z) for label, loss in chosen.items()}
    return forces.concentration(z, chosen, top=(3,)).assign(radial=pd.Series(radial))


# --- one thing changed at a time ------------------------------------------------------------------------------------


def _normal(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=like.dtype)


def _with_shared_vector(z: States) -> States:
    one = torch.nn.functional.normalize(_normal(z.shape[-1:], z), dim=0)
    return z + z.norm(dim=-1).median() * one


def _with_vector_of_each_text(z: States) -> States:
    each = torch.nn.functional.normalize(_normal((len(z), 1, z.shape[-1]), z), dim=-1)
    return z + z.norm(dim=-1).median() * each


def _turned(z: States) -> States:
    return z @ torch.linalg.qr(_normal((z.shape[-1],) * 2, z))[0]


def _mixed(z: States) -> States:
    order = torch.randperm(z.shape[0] * z.shape[1], generator=torch.Generator().manual_seed(1))
    return z.flatten(0, 1)[order].view_as(z)


def _with_neighbours(z: States) -> States:
    twins = z.clone()
    twins[:, 1::2] = z[:, 0 : 2 * (z.shape[1] // 2) : 2] + 0.01 * z[:, 1::2]
    return twins


CHANGES: dict[str, Callable[[States], States]] = {
    "a vector shared by all": _with_shared_vector,  # as long as the median token
    "a vector for each text": _with_vector_of_each_text,
    "norms": lambda z: z * (_normal((*z.shape[:2], 1), z) / 2).exp(),  # lognormal, half a nat
    "scales of features": lambda z: z * (_normal(z.shape[-1:], z) / 2).exp(),
    "axes turned": _turned,
    "tokens of texts mixed": _mixed,
    "a twin for every token": _with_neighbours,  # each second token nearly equals the one before
}


def answers(z: States, chosen: Mapping[str, Callable]) -> pd.DataFrame:
    """How the value of each loss answers to `CHANGES`: |changed - value| / |value|."""
    flat = z.mean((0, 1)) + 1e-4 * z.norm(dim=-1).median() * _normal(z.shape, z) / z.shape[-1] ** 0.5
    rows = {}
    for label, loss in chosen.items():
        value = float(forces.value(loss, z))
        moved = {name: abs(float(forces.value(loss, change(z))) - value) for name, change in CHANGES.items()}
        size = max(abs(value), 1e-12)
        rows[label] = {"value": value, "collapsed": float(forces.value(loss, flat))}
        rows[label] |= {name: by / size for name, by in moved.items()}
    return pd.DataFrame.from_dict(rows, orient="index")
