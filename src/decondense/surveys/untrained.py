"""Where a training run starts: the geometry of untrained models of published size, over seeds, from records.

Only one block of a model exists at a time (`streaming`), so models of 7 billion parameters are measured in 4 GB.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import corpora, measurement, models, paper, records, surveys
from ..base import machine
from ..base.errors import unknown
from ..condensation import Condensation
from ..models import streaming
from ..paper import compare, verdicts
from ..paper.compare import Claim
from . import Measured

CHECK_MU, CHECK_RANK = 0.001, 0.01  # tolerances of a check run: mean cosine; rho and tau
IN_FIG4 = "olmo-3-7b"  # the model of Fig. 4
TOLERANCE = 0.05  # of rho and tau at initialisation
ARTIFICIAL = corpora.Corpus("artificial", [], "token ids in turn", "")
Found = dict[str, list[Measured]]  # for each model one measurement a seed


def configuration(model: str):
    """The transformers configuration of a model at its published size.

    Raises
        ValueError: unknown model, or one whose architecture `families.toml` does not give.
    """
    import transformers

    short, entry = models.resolve(model)
    if "architecture" not in entry:
        raise unknown("architecture of model", short, [n for n, e in models.table().items() if "architecture" in e])
    return getattr(transformers, entry["architecture"])(**entry["config"])


def survey(
    names: Sequence[str],
    seeds: Sequence[int],
    corpus: str,
    *,
    tokenizer: str,
    n_texts: int = 1,
    max_length: int = 512,
    dtype: str = "float32",
    sources: Sequence[str] = models.SOURCES,
) -> Found:
    """Every model with every seed, in that order: read where there is a record (also a committed one), else measured.

    A seed stands for one draw of the weights and one set of `n_texts` texts.

    tokenizer
        The model (`models.load_tokenizer`) whose tokenizer gives the ids. Untrained rows of an embedding are alike, so
        only the pattern of repeated ids matters, and with it the tokenizer only by how often it repeats one.

    Raises
        ValueError: unknown model, dtype, corpus; what `corpora.load` and `models.load_tokenizer` raise.
    """
    if dtype not in models.DTYPES:
        raise unknown("dtype", dtype, models.DTYPES)
    shared = {
        "corpus": corpus, "tokenizer": tokenizer, "n_texts": n_texts, "max_length": max_length, "dtype": dtype,
        "sources": list(sources),
    }  # fmt: skip
    for name in names:
        configuration(name)  # every bad name is said before the first minutes are spent
    return {name: [_measured({"model": name, "seed": seed} | shared) for seed in seeds] for name in names}


def repeated(
    model: str, counts: Sequence[int], seeds: Sequence[int], *, max_length: int = 512, dtype: str = "float32"
) -> dict[int, list[Measured]]:
    """An untrained model on artificial texts that repeat themselves: the ids 0 .. count - 1 in turn, to `max_length`.

    For each count one measurement a seed (of the weights), read or measured as in `survey`.

    Raises
        ValueError: unknown model or dtype; a count below 1 or above `max_length`.
    """
    if dtype not in models.DTYPES:
        raise unknown("dtype", dtype, models.DTYPES)
    for count in counts:
        if not 1 <= count <= max_length:
            raise ValueError(f"A text of {max_length} tokens repeats 1 to {max_length} of them, got {count}.")
    configuration(model)
    shared = {"model": model, "max_length": max_length, "dtype": dtype}
    return {count: [_repeated(shared | {"count": count, "seed": seed}) for seed in seeds] for count in counts}


def _repeated(config: dict) -> Measured:
    def compute() -> tuple[dict, bytes]:
        result, provenance = _streamed(config, [[n % config["count"] for n in range(config["max_length"])]])
        return surveys.summary(result, provenance, ARTIFICIAL), result.to_bytes()

    name = f"fig4-repeated-{surveys.file_name(config['model'])}"
    record = records.run(name, config, compute, __name__, surroundings=surveys.versions_and_device(), committed=True)
    return Measured(Condensation.load(record.arrays), record)


def check_run(kept: Measured) -> pd.DataFrame:
    """A measurement made again now, beside its record: is the record what this code gives?

    One row a quantity with the tolerance and whether they agree. The weights are drawn on the CPU, so the tolerance has
    to cover only the rounding of another processor.
    """
    now = _measured(kept.record.content["config"], "fig4-check", committed=False).condensation
    then = kept.condensation
    rows = [
        ("μ, largest difference of an entry", 0.0, float(np.abs(now.mu - then.mu).max()), CHECK_MU),
        ("ρ", then.rho, now.rho, CHECK_RANK),
        ("τ", then.tau, now.tau, CHECK_RANK),
    ]
    return compare.beside_record(rows)


def _measured(config: dict, experiment: str = "fig4-init", committed: bool = True) -> Measured:
    compute = lambda: _compute(config)
    name = f"{experiment}-{surveys.file_name(config['model'])}"
    surroundings = surveys.surroundings(config["corpus"], tuple(config["sources"]))
    record = records.run(name, config, compute, __name__, surroundings=surroundings, committed=committed)
    return Measured(Condensation.load(record.arrays), record)


def _compute(config: dict) -> tuple[dict, bytes]:
    sources, length = tuple(config["sources"]), config["max_length"]
    corpus = surveys.load_corpus(config["corpus"], sources)
    texts = corpora.sample_texts(corpus, config["n_texts"], config["seed"] * config["n_texts"])
    tokenizer = surveys.load_tokenizer(config["tokenizer"], sources)
    ids = [tokenizer(text, truncation=True, max_length=length)["input_ids"] for text in texts]
    result, provenance = _streamed(config, ids)
    return surveys.summary(result, provenance, corpus), result.to_bytes()


def _streamed(config: dict, ids: list[list[int]]) -> tuple[Condensation, dict]:
    """The model of a configuration on texts of token ids, and where its weights come from."""
    small, ids = streaming.with_vocabulary(configuration(config["model"]), ids)
    device = machine.device()
    model = streaming.streamed(small, config["seed"], dtype=models.DTYPES[config["dtype"]], device=device)
    how = {"max_length": config["max_length"], "seed": config["seed"], "name": config["model"]}
    result = measurement.measure(model, None, ids, batch_tokens=sum(map(len, ids)), progress=False, **how)
    return result, {"model": config["model"], "weights": "random", "dtype": config["dtype"], "device": device,
                    "source": "random initialisation, block by block", "seed": config["seed"]}  # fmt: skip


def table(found: Found) -> pd.DataFrame:
    """One row a model: size, and over the seeds the mean with lowest and highest of rho, tau, first and last mu.

    `falls`: steps from one entry to the next, of all, where mu (mean over the seeds) does not rise.
    """
    rows = {}
    for name, members in found.items():
        results, config = [m.condensation for m in members], configuration(name)
        steps = np.diff(np.mean([r.mu for r in results], axis=0))
        rows[name] = {
            "blocks": config.num_hidden_layers,
            "width": config.hidden_size,
            "ρ": spread([r.rho for r in results]),
            "τ": spread([r.tau for r in results]),
            "first μ": spread([r.mu[0] for r in results]),
            "last μ": spread([r.mu[-1] for r in results]),
            "falls": f"{(steps <= 0).sum()} of {len(steps)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def repetition(found: dict[int, list[Measured]]) -> pd.DataFrame:
    """`repeated` as a table, one row a count: over the seeds rho, tau, first, second and last mu, as in `table`."""
    rows = {}
    for count, members in found.items():
        results = [m.condensation for m in members]
        row = {"ρ": [r.rho for r in results], "τ": [r.tau for r in results]}
        row |= {f"{name} μ": [r.mu[at] for r in results] for name, at in (("first", 0), ("second", 1), ("last", -1))}
        rows[count] = {name: spread(values) for name, values in row.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("different tokens")


def repetition_claim(model: str, found: dict[int, list[Measured]]) -> Claim:
    """This book's question on `repeated`: is rho 1 whatever the text?"""
    means = {count: float(np.mean([m.condensation.rho for m in members])) for count, members in found.items()}
    here = "; ".join(f"{count} {rho:.2f}" for count, rho in means.items()) or "none"
    verdict = verdicts.within(list(means.values()), [1.0] * len(means), TOLERANCE)
    claim = f"{model}, untrained: Spearman ρ = 1 however few different tokens a text has"
    return Claim(claim, "this book", "not stated", here, f"{TOLERANCE:g}", *verdict)


def spread(values: Sequence[float]) -> str:
    """Mean, lowest and highest as the tables show them: `0.532 [0.511, 0.550]`; the mean alone of one value."""
    return f"{np.mean(values):.3f}" + (f" [{min(values):.3f}, {max(values):.3f}]" if len(values) > 1 else "")


def families(found: Found) -> dict[str, Found]:
    """The models grouped by family, both in the order given."""
    groups: dict[str, Found] = {}
    for name, members in found.items():
        groups.setdefault(models.resolve(name)[1]["family"], {})[name] = members
    return groups


def claims(found: Found) -> list[Claim]:
    """Fig. 4's start against Olmo-3 here; and two questions of this book's own on all other architectures."""
    olmo = [m.condensation for m in found.get(IN_FIG4, [])]
    others = [m.condensation for name, members in found.items() if name != IN_FIG4 for m in members]
    start = paper.training_run().iloc[0]
    rows = []
    for name, (symbol, metric, _) in compare.METRICS.items():
        here, published = (
            [getattr(r, name) for r in olmo],
            compare.number(start[metric], error=start[f"{metric} error"]),
        )
        claim = f"Olmo-3-7B at initialisation: {symbol} as published (near 1)"
        verdict = verdicts.within(here, [start[metric]] * len(here), TOLERANCE)
        rows.append(Claim(claim, "Fig. 4", published, spread(here) if here else "none", f"{TOLERANCE:g}", *verdict))
    for name, (symbol, _, _) in compare.METRICS.items():
        here = [getattr(r, name) for r in others]
        claim = f"every other architecture at initialisation: {symbol} = 1"
        verdict = verdicts.within(here, [1.0] * len(here), TOLERANCE)
        shown = spread(here) if here else "none"
        rows.append(Claim(claim, "this book", "not stated", shown, f"{TOLERANCE:g}", *verdict))
    return [*rows, _size_claim(found)]


def _size_claim(found: Found) -> Claim:
    """Whether the last mu is higher in the largest model of each family than in its smallest."""
    last = lambda members: float(np.mean([m.condensation.mu[-1] for m in members]))
    ends = {f: list(group.values()) for f, group in families(found).items() if len(group) > 1}
    rises = pd.Series({f: last(group[-1]) - last(group[0]) for f, group in ends.items()}, dtype=float)
    claim = "untrained: the largest model of a family has a higher last μ than its smallest"
    verdict = verdicts.all_above(list(rises))
    return Claim(claim, "this book", "not stated", compare.signed(rises) or "none", "above 0 in each family", *verdict)
