"""Where a training run starts: the geometry of untrained models of published size, over seeds, from records.

Only one block of a model exists at a time (`streaming`), so models of 7 billion parameters are measured in 4 GB.
"""

from collections.abc import Sequence

import numpy as np

from .. import corpora, measurement, models, records, surveys
from ..base import machine
from ..base.errors import unknown
from ..condensation import Condensation
from ..models import streaming
from . import Measured

CHECK_MU, CHECK_RANK = 0.001, 0.01  # tolerances of a check run: mean cosine; rho and tau
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

    A seed means one draw of the weights and one set of `n_texts` texts.

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
        configuration(name)  # a bad name is refused before the first minutes are spent
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


def check_run(kept: Measured) -> "pandas.DataFrame":
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
    return records.beside_record(rows)


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


def families(found: Found) -> dict[str, Found]:
    """The models grouped by family, both in the order given."""
    groups: dict[str, Found] = {}
    for name, members in found.items():
        groups.setdefault(models.resolve(name)[1]["family"], {})[name] = members
    return groups
