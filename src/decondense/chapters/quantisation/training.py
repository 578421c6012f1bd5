"""Small models trained from scratch, with dispersion and without, and rounded afterwards or while they learn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ... import corpora, models, records
from ...corpora import streams
from ...quantise import TERNARY, Scheme, aware_
from ...runs import PreTraining, loop, store
from ...runs.run import Run
from . import rounded

AWARE = Scheme(bits=TERNARY, activations=8)  # BitNet b1.58: ternary weights, inputs of 8 bits by token


@dataclass(frozen=True, kw_only=True)
class Aware(PreTraining):
    """A run whose linear layers are rounded in every forward pass (`quantise.aware_`, `AWARE`)."""

    def load(self) -> models.Loaded:
        loaded = super().load()
        aware_(loaded.model, AWARE)
        return loaded


def runs(
    shared: PreTraining, changes: Mapping[str, dict], seeds: Mapping[str, Sequence[int]], schemes: Sequence[Scheme],
    scored: Sequence[str] = (),
) -> list[Run]:  # fmt: skip
    """A run for each label of `changes` and each of its seeds, seed by seed.

    Raises
        ValueError: what `PreTraining` raises.
    """
    of_label = {label: shared.changed(**change) for label, change in changes.items()}
    every = sorted({seed for label in of_label for seed in seeds[label]})
    return [
        Run(label, seed, record(config.changed(seed=seed), schemes, scored))
        for seed in every
        for label, config in of_label.items()
        if seed in seeds[label]
    ]


def aware(config: PreTraining) -> Aware:
    """The same run with rounding in training."""
    return Aware(**{entry.name: getattr(config, entry.name) for entry in fields(config)})


def record(config: PreTraining, schemes: Sequence[Scheme], scored: Sequence[str] = ()) -> records.Record:
    """The record of one run; a committed one is taken where there is one.

    In the results beside those of `loop.train`: `rounded` (rows of `rounded.under`), `outliers` and `about`. The tasks
    are scored for the model as it is and under the schemes whose labels are `scored`.
    """
    told = config.as_dict() | {"rounding": [asdict(scheme) for scheme in schemes], "scored": list(scored)}
    told["aware"] = isinstance(config, Aware)
    name = f"quantisation-{'aware-' if told['aware'] else ''}{config.condition}"
    how = {"surroundings": store.surroundings(config), "committed": True}
    return records.run(name, told, lambda: _trained(config, schemes, scored), __name__, **how)


def _trained(config: PreTraining, schemes: Sequence[Scheme], scored: Sequence[str]) -> tuple[dict, bytes]:
    kept: list[models.Loaded] = []
    with TemporaryDirectory() as folder:
        results, arrays = loop.train(config.changed(tasks={}), Path(folder), keep=kept.append)
    loaded, corpus = kept[0], corpora.load(config.corpus, config.sources)
    held_out = streams.stream(corpus, loaded.tokenizer, config.needs).held_out
    windows = torch.tensor(streams.spread(held_out, config.held_out, config.length))
    asked = rounded.Asked(windows, config.texts, config.tasks, scored, config.sources, config.seed)
    rows, outliers = rounded.under(loaded, schemes, asked)
    about = {"about": rounded.about(loaded.model)} if schemes else {}
    return results | {"rounded": rows, "outliers": outliers} | about, arrays
