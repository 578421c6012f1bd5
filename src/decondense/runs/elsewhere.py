"""The geometry of a trained model on other corpora than its own."""

from collections.abc import Mapping

import numpy as np

from .. import corpora, measurement, models
from ..condensation import Condensation, from_arrays, to_arrays
from ..corpora import streams
from .configuration import Configuration

PREFIX = "elsewhere_"  # of the arrays


def looks(config: Configuration, loaded: models.Loaded) -> dict[str, np.ndarray]:
    """One measurement for each corpus of `config.elsewhere`, as arrays; on held-out windows as of its own corpus.

    Raises
        What `corpora.load` raises.
    """
    found = [_look(name, config, loaded) for name in config.elsewhere]
    return {PREFIX + name: array for name, array in to_arrays(found).items()} if found else {}


def _look(name: str, config: Configuration, loaded: models.Loaded) -> Condensation:
    stream = streams.stream(corpora.load(name, config.sources), loaded.tokenizer, config.needs)
    windows = streams.spread(stream.held_out, config.texts, config.text_length)
    how = {"max_length": config.text_length, "seed": config.seed, "progress": False}
    return measurement.measure(loaded.model, None, windows, name=name, **how)


def read(arrays: Mapping[str, np.ndarray]) -> dict[str, Condensation]:
    """What `looks` measured, by the name of the corpus; other arrays beside are left out."""
    ours = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    return {result.name: result for result in from_arrays(ours)} if ours else {}
