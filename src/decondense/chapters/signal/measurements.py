"""The recursion beside real models with random weights: errors, widths, initialisers, maps. Its tables are records."""

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int

from ... import corpora, hooks, metrics, models, records
from ...base.files import sha256
from .recursion import Architecture, Propagation, architecture, drift, mlp_kernel, powers, predict, resized

Texts = Sequence[Int[np.ndarray, "_"]]  # token ids; texts of any length
CHECK = 0.001  # tolerance of a check run; the tables have numbers of order 1


class Kept(NamedTuple):
    """A table and the record that it comes from."""

    table: pd.DataFrame
    record: records.Record


def token_ids(
    tokenizer: str, corpus: str, texts: int, max_length: int, sources: Sequence[str] = models.SOURCES
) -> list[np.ndarray]:
    """The token ids of the first texts that a survey of this corpus takes, cut to `max_length`."""
    encode = models.load_tokenizer(tokenizer, sources)
    samples = corpora.sample_texts(corpora.load(corpus, sources), texts)
    return [np.array(encode(text, truncation=True, max_length=max_length)["input_ids"]) for text in samples]


def recorded(function: Callable[..., pd.DataFrame], *arguments) -> Kept:
    """What a function of this module gives for these arguments, a table: read where there is a record, else made.

    The arguments may hold architectures, texts (the record keeps their hash) and what JSON knows. Random draws are
    decided by them too: a function that is not given a seed has a fixed one.
    """
    config = {"function": function.__name__, "arguments": _plain(arguments), "seed": 0}
    compute = lambda: ({"table": function(*arguments).to_dict("tight")}, None)
    surroundings = {name: metadata.version(name) for name in ("numpy", "torch", "transformers")}
    name = f"signal-{function.__name__.replace('_', '-')}"
    record = records.run(name, config, compute, __name__, surroundings=surroundings, committed=True)
    return Kept(pd.DataFrame.from_dict(record.content["results"]["table"], orient="tight"), record)


def _plain(value):
    if isinstance(value, np.ndarray):
        return {"tokens": len(value), "sha256": sha256(value.astype(np.int64).tobytes())}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def check_run(function: Callable[..., pd.DataFrame], *arguments) -> pd.DataFrame:
    """A table made again now, beside its record: one row per column, the largest difference and the tolerance."""
    apart = (recorded(function, *arguments).table - function(*arguments)).abs()
    return records.beside_record([(f"{name}: largest difference", 0.0, apart[name].max(), CHECK) for name in apart])


def predictions(architectures: dict[str, Architecture], texts: Texts, draws: int, seed: int) -> pd.DataFrame:
    """`predict` for each model: columns mu and norm, index (model, entry)."""
    found = {name: pd.DataFrame(predict(a, texts, draws, seed)._asdict()) for name, a in architectures.items()}
    return pd.concat(found, names=["model", "entry"])


def norms(a: Architecture, texts: Texts, draws: int, seed: int) -> pd.DataFrame:
    """Root mean square of the norms, predicted and measured (`measure`), and predicted / measured; a row per entry."""
    table = pd.DataFrame({"predicted": predict(a, texts, draws, seed).norm, "measured": measure(a, texts, seed).norm})
    return table.assign(ratio=table.predicted / table.measured).rename_axis("entry")


def measure(a: Architecture, texts: Texts, seed: int = 0) -> Propagation:
    """The same numbers of a real model with these sizes: weights drawn by its configuration, float32, then a forward.

    Token ids are renumbered, so that the embedding has only the rows that are read; Qwen3 shares keys and values
    between two heads.
    """
    vocabulary, flat = np.unique(np.concatenate(texts), return_inverse=True)
    parts = np.split(flat, np.cumsum([len(ids) for ids in texts])[:-1])
    torch.manual_seed(seed)
    model = _model(a, len(vocabulary), max(len(ids) for ids in texts)).eval()
    length = lambda z: z.double().square().sum(1).mean().sqrt()
    reduce = lambda _, z: torch.stack([metrics.mean_cosine(z[0]).all_pairs, length(z[0])])
    found = []
    for ids in parts:
        with torch.inference_mode(), hooks.residual_stream(model, reduce) as entries:
            model(torch.as_tensor(ids)[None])
        found.append(np.array([entries[entry].numpy() for entry in sorted(entries)]))
    return Propagation(*np.mean(found, axis=0).T)


def _model(a: Architecture, vocabulary: int, positions: int) -> torch.nn.Module:
    import transformers

    own = {"vocab_size": vocabulary, "initializer_range": a.initializer}
    own |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    if a.kind == "gpt2":
        shape = {"n_embd": a.width, "n_layer": a.depth, "n_head": a.heads, "n_inner": a.mlp_width}
        own |= {"n_positions": positions}
        return transformers.AutoModel.from_config(transformers.GPT2Config(**shape | own))
    shape = {"hidden_size": a.width, "num_hidden_layers": a.depth, "num_attention_heads": a.heads, "rope_theta": 1e6}
    own |= {"num_key_value_heads": max(1, a.heads // 2), "head_dim": a.head_dim, "intermediate_size": a.mlp_width}
    return transformers.AutoModel.from_config(transformers.Qwen3Config(**shape | own))


def _against(architectures: dict, texts: Texts, seeds: int) -> pd.DataFrame:
    """Predicted and measured mu of the last entry, one row an architecture; mean and spread over seeds of the weights.

    `largest`: of |predicted - mean over the seeds| over the entries.
    """
    rows = {}
    for label, a in architectures.items():
        mu = predict(a, texts).mu
        found = np.array([measure(a, texts, seed).mu for seed in range(seeds)])
        rows[label] = {
            "predicted": mu[-1],
            "measured": found[:, -1].mean(),
            "spread": found[:, -1].std(ddof=1),
            "largest": np.abs(found.mean(0) - mu).max(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def over_width(a: Architecture, texts: Texts, widths: Sequence[int], seeds: int) -> pd.DataFrame:
    """`_against` over the width, with `relative`: spread / measured times sqrt(width).

    `relative` stays of order 1 if draws of the weights differ by O(1 / sqrt(width)) of the value.

    Raises
        ValueError: as `resized`; NaN spreads with one seed.
    """
    table = _against({width: resized(a, width) for width in widths}, texts, seeds).rename_axis("width")
    return table.assign(relative=table.spread / table.measured * np.sqrt(table.index))


def over_initializer(a: Architecture, texts: Texts, initializers: Sequence[float], seeds: int) -> pd.DataFrame:
    """`_against` over the initialiser s."""
    found = {s: a._replace(initializer=s) for s in initializers}
    return _against(found, texts, seeds).rename_axis("initialiser")


def last_mu(a: Architecture, texts: Texts, widths: Sequence[int], field: str, values: Sequence) -> pd.DataFrame:
    """Predicted mu of the last entry over width (columns) and one other size: "depth", "initializer" (rows).

    One random head a block. Raises what `resized` raises.
    """
    rows = {
        value: {w: predict(resized(a, w)._replace(**{field: value}), texts, draws=1).mu[-1] for w in widths}
        for value in values
    }
    label = field.replace("initializer", "initialiser")
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index=label, columns="width")


def ablations(names: Sequence[str], texts: Texts) -> pd.DataFrame:
    """Predicted mu of the last entry of each model (columns): as it is, and with one part changed (rows)."""
    changed = {}
    for name in names:
        a = architecture(name)
        changed[name] = {
            "as it is": predict(a, texts).mu[-1],
            "uniform attention": predict(a, texts, draws=0).mu[-1],
            "without the MLP": predict(a._replace(mlp_width=0), texts).mu[-1],
            "twice the heads": predict(a._replace(heads=2 * a.heads), texts).mu[-1],
            "half the initialiser": predict(a._replace(initializer=a.initializer / 2), texts).mu[-1],
        }
    return pd.DataFrame(changed)


def sizes(names: Sequence[str], texts: Texts) -> pd.DataFrame:
    """What the recursion says of each model, without any weights: powers, drift of a cosine of 0.2, last mu."""
    rows = {}
    for name in names:
        a = architecture(name)
        att, mlp = powers(a)
        rows[name] = {
            "width": a.width,
            "blocks": a.depth,
            "P_mlp / P_att": mlp / att,
            "k(0)": float(mlp_kernel(a, np.zeros(1))[0] / mlp_kernel(a, np.ones(1))[0]),
            "drift": float(drift(a, np.array([0.2]))[0]),
            "last μ": predict(a, texts).mu[-1],
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"width": int, "blocks": int})
