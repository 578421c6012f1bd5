"""In how few dimensions each loss pushes a real layer, of a trained model and of its untrained twin; the record."""

from typing import NamedTuple

import pandas as pd

from ... import corpora, losses, models, records
from ...losses import forces
from ...models import pocket
from ...surveys import layer
from .measurements import surroundings

LOSSES = {  # what each row of the table is
    "dispersion": ("dispersion", {}),
    "dispersion, centred": ("dispersion", {"centre": "batch"}),
    "mean_direction": ("mean_direction", {}),
    "orthogonalization": ("orthogonalization", {}),
}


class Where(NamedTuple):
    """One row for the model (`trained`, `untrained`) and loss: see `forces.concentration`."""

    table: pd.DataFrame
    record: records.Record


def where(
    model: str,
    corpus: str,
    *,
    depth: float = 0.5,
    n_texts: int = 8,
    max_length: int = 256,
    sources=models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    seed: int = 0,
) -> Where:
    """`forces.concentration` of `LOSSES` at the entry round(depth L) of a model, and of one like it with new weights.

    n_texts, max_length
        All texts are cut to the length of the shortest.
    seed
        Of the texts (`corpora.sample_texts`), of the new weights, and of a pocket model.

    Raises
        ValueError: a depth outside (0, 1]; what `models.load` and `corpora.load` raise.
    """
    layer.check_depth(depth)
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    text = corpora.load(corpus, sources)
    config = {
        "model": model, "corpus": corpus, "losses": list(LOSSES), "depth": depth, "n_texts": n_texts,
        "max_length": max_length, "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip
    name = f"where-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(name, config, lambda: _measured(config, text), __name__, surroundings=surroundings(text))
    found = record.content["results"]["tables"]
    tables = {weights: pd.DataFrame.from_dict(rows, orient="index") for weights, rows in found.items()}
    return Where(pd.concat(tables, names=["weights", "loss"]), record)


def _measured(asked: dict, text: corpora.Corpus) -> tuple[dict, None]:
    how = {"train_tokens": asked["train_tokens"]} if "train_tokens" in asked else {}
    model, tokenizer, about = models.load(asked["model"], sources=asked["sources"], seed=asked["seed"], **how)
    ids = layer.rows(text, tokenizer, asked["n_texts"], asked["max_length"], asked["seed"])
    entry = layer.entry_at(model, asked["depth"])
    chosen = {label: losses.get(name, **options) for label, (name, options) in LOSSES.items()}
    first = models.load(asked["model"], "random", seed=asked["seed"], **how).model
    both = {"trained": model, "untrained": first}
    table = lambda one: forces.concentration(layer.states(one, ids, entry), chosen).to_dict("index")
    tables = {weights: table(one) for weights, one in both.items()}
    corpus = {"name": asked["corpus"], "sha256": text.sha256}
    return {"tables": tables, "entry": entry, "tokens": ids.shape[1], "model": about, "corpus": corpus}, None


def in_words(table: pd.DataFrame) -> str:
    """What the table says of dispersion, with its numbers."""
    share = lambda weights, loss: f"{100 * table.loc[(weights, loss), 'in top 3']:.2g} %"
    first = {weights: table.loc[(weights, "dispersion"), "first token"] for weights in ("trained", "untrained")}
    return (
        f"Of the force with which dispersion turns the tokens of the trained model, {share('trained', 'dispersion')} "
        f"lies in three dimensions, and {share('untrained', 'dispersion')} in the untrained one; of the force of "
        f"dispersion with a centre, {share('trained', 'dispersion, centred')}. The force on the first token of a text "
        f"is {first['trained']:.2g} times that on the others in the trained model, {first['untrained']:.2g} times in "
        "the untrained. The gradient of a loss of directions is inverse to the norm."
    )
