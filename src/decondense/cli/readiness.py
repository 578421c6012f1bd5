"""What each profile would need on this machine, what of it is missing, and how long it would take."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..base import assets
from ..base.errors import INSTALL
from ..base.machine import GIB
from ..base.settings import flag, variable
from ..book import cells, profiles
from ..book.places import NOT_LOADED, place_of_dataset, place_of_model
from ..book.reproduce import PACKAGES
from .command import places, say

OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
ON_GPU = ("gpu", "paper")
PACKED = 0.75  # bytes a parameter of a mirror on PyPI, in 4 to 8 bits, which stays packed in the cache
SECONDS = 5  # to wait for the network


class Machine(NamedTuple):
    """What a run may use: GiB of memory, of the GPU's memory (0: none), of disk; why not the hub, why not PyPI."""

    memory: float
    gpu: float
    disk: float
    hub: str
    pypi: str


class Readiness(NamedTuple):
    """One profile on this machine: it can run when nothing is missing. Minutes are those of the timed notebooks."""

    profile: str
    notebooks: int
    timed: int
    minutes: float
    models: list[str]
    datasets: list[str]
    memory: float
    download: float
    missing: list[str]


class _Wanted(NamedTuple):
    models: dict[str, tuple[int, tuple[str, ...]]]  # name -> bytes a parameter, sources
    datasets: dict[str, tuple[str, ...]]


def readiness(profile: str, root: Path | None, machine: Machine) -> Readiness:
    """Read off the notebooks' parameters what `profile` loads, and compare it with the machine.

    root
        Of the clone; `None` outside of one, where no profile can run.

    Models under terms that nobody has accepted here, and those that run code from the hub, are not counted: a run
    leaves them out. Memory and download are estimates from the numbers of parameters (GiB).

    Raises
        ValueError: unknown profile.
    """
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")) if root else []
    ids = [profiles.notebook_id(path) for path in notebooks]
    minutes = [m for name in ids if (m := profiles.estimate_minutes(profile, name)) is not None]
    wanted = _wanted(profile, notebooks)
    memory = max((1.2 * _parameters(name) * size / GIB for name, (size, _) in wanted.models.items()), default=0.0)
    places = {name: place_of_model(name, sources) for name, (_, sources) in wanted.models.items()}
    absent = [name for name, place in places.items() if place != "here"]
    whole = {name: _parameters(name) * wanted.models[name][0] / GIB for name in absent}
    packed = {name: _parameters(name) * PACKED / GIB for name in absent if places[name] == "pypi"}
    download = sum((whole | packed).values(), 0.0)
    places |= {name: place_of_dataset(name, sources) for name, sources in wanted.datasets.items()}
    missing = [*_of_installation(root), *_of_machine(profile, memory, download, machine), *_of_places(places, machine)]
    return Readiness(
        profile, len(ids), len(minutes), sum(minutes), sorted(wanted.models), sorted(wanted.datasets), memory, download,
        missing,
    )  # fmt: skip


def users(root: Path | None) -> dict[str, list[str]]:
    """Asset -> the profiles whose notebooks load the model or the data set in it; none of them outside of a clone."""
    from .. import corpora, models

    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")) if root else []
    found: dict[str, list[str]] = {}
    for profile in profiles.PROFILES:
        wanted = _wanted(profile, notebooks)
        by_pypi = [name for name, (_, sources) in wanted.models.items() if "pypi" in sources]
        used = {models.table()[name].get("mirror") for name in by_pypi}
        used |= {corpora.ORIGINS[name].asset[0] for name in wanted.datasets if corpora.ORIGINS[name].asset}
        for asset in used - {None}:
            found.setdefault(asset, []).append(profile)
    return found


# --- what the notebooks load ----------------------------------------------------------------------------------------


def _wanted(profile: str, notebooks: Sequence[Path]) -> _Wanted:
    from .. import corpora, models
    from ..models import pocket

    bytes_of = {name: dtype.itemsize for name, dtype in models.DTYPES.items()}
    refused = [name for name, when in assets.accepted().items() if when is None]
    wanted = _Wanted({}, {})
    for path in notebooks:
        values = cells.defaults(path) | profiles.parameters(profile, profiles.notebook_id(path))
        sources = tuple(values.get("SOURCES", models.SOURCES))
        size = bytes_of[values.get("DTYPE", "bfloat16")]
        for word in _words({name: value for name, value in values.items() if name not in NOT_LOADED}):
            entry = models.table().get(word)
            if entry and not entry.get("remote_code") and entry.get("mirror") not in refused:
                wanted.models[word] = (max(size, wanted.models.get(word, (0,))[0]), sources)
            elif word in corpora.ORIGINS and word not in pocket.SIZES:
                wanted.datasets[word] = sources
    return wanted


def _words(values: dict) -> Iterator[str]:
    """Names in parameters: by themselves, in lists, and data sets in tables."""
    for value in values.values():
        if isinstance(value, dict):
            yield from (value[name] for name in ("corpus",) if name in value)
        yield from (word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str))


def _parameters(name: str) -> int:
    from .. import models

    return models.table()[name].get("parameters", 0)


# --- what is missing ------------------------------------------------------------------------------------------------


def _of_installation(root: Path | None) -> Iterator[str]:
    if root is None:
        yield "a clone of the repository: run this inside one (`measure`, `compare` and `train` need none)"
    if absent := [name for name in PACKAGES if not find_spec(name)]:
        yield f"{', '.join(absent)}: {INSTALL}"


def _of_machine(profile: str, memory: float, disk: float, machine: Machine) -> Iterator[str]:
    on_gpu = profile in ON_GPU
    if on_gpu and not machine.gpu:
        yield "a CUDA GPU" + (f" with {memory:.0f} GiB" if memory else "")
    elif (there := machine.gpu if on_gpu else machine.memory) < memory:
        yield f"{memory:.0f} GiB of {'GPU memory' if on_gpu else 'memory'}, {there:.0f} GiB are there"
    if machine.disk < disk:
        yield f"{disk:.0f} GiB of disk for weights, {machine.disk:.0f} GiB are free: set DECONDENSE_CACHE, HF_HOME"


def _of_places(places: dict[str, str], machine: Machine) -> Iterator[str]:
    for place, title, why in (("hub", "the Hugging Face hub", machine.hub), ("pypi", "PyPI", machine.pypi)):
        names = sorted(name for name, where in places.items() if where == place)
        if names and why:
            yield f"{title} ({why}) for {_few(names)}"
    if nowhere := sorted(name for name, where in places.items() if where == "nowhere"):
        yield f"{_few(nowhere)}: set DECONDENSE_DATA to a folder that holds it"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- the network ----------------------------------------------------------------------------------------------------


def spare_the_hub(models: Sequence[str | None], sources: str, dataset: str | None = None) -> None:
    """Where the hub may be asked for a model or a data set but does not answer, tell so once.

    Its client would try for a minute.
    """
    here = lambda name: Path(name).exists() or name.startswith("pocket-") or name.endswith(".npz")
    asked = [name for name in models if name and not here(name)]
    asked += [dataset] if dataset and place_of_dataset(dataset, places(sources)) == "hub" else []
    if asked and "hub" in places(sources) and not flag("HF_HUB_OFFLINE") and (why := hub_refusal()):
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}  # read when the libraries are imported
        say(f"The Hugging Face hub is not available ({why}). What is in its cache is used.", "yellow")


@cache
def hub_refusal() -> str:
    """Why the Hugging Face hub is not available: forbidden by a variable, or no answer; empty when it is."""
    if forbidden := [f"{name}={os.environ[name]}" for name in OFFLINE if flag(name)]:
        return f"forbidden by {forbidden[0]}"
    address = variable("HF_ENDPOINT") or "https://huggingface.co"
    try:
        asked = urllib.request.Request(address, method="HEAD")  # noqa: S310, the user's own address
        urllib.request.urlopen(asked, timeout=SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        return f"answers {error.code}" if error.code in (403, 407) or error.code >= 500 else ""
    except (OSError, ValueError) as error:
        return f"no answer: {getattr(error, 'reason', error)}"
    return ""


@cache
def pypi_refusal() -> str:
    """Why pip cannot reach its index, asked through pip and its own settings; empty when it can."""
    if not find_spec("pip"):
        return "pip is missing: python -m ensurepip"
    options = ["--disable-pip-version-check", "--timeout", str(SECONDS), "--retries", "0"]
    command = [sys.executable, "-m", "pip", "index", "versions", "pip", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=6 * SECONDS)
    except subprocess.TimeoutExpired:
        return "no answer"
    return "" if done.returncode == 0 else "no answer"
