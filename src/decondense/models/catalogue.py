"""The models that are known by name (families.toml), and what of a name or a folder can be checked without torch."""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..base import machine
from ..base.assets import SOURCES
from ..base.errors import printable, unknown
from ..base.files import sha256

DTYPES = ("float32", "bfloat16", "float16")
POCKET = ("pocket-small", "pocket-medium", "pocket-large", "pocket-xl")  # `pocket.SIZES`, known without torch
LONGEST_FILE_NAME = 100  # bytes of a name in the name of a file: most systems take 255 for the whole
LISTED = "`from decondense import models; models.names()` lists them; a hub id has a slash, a folder is a path"


@cache
def table() -> dict[str, dict]:
    """The known models by short name, as in `families.toml`: hub id, family, published architecture and size."""
    return tomllib.loads((Path(__file__).parent / "families.toml").read_text(encoding="utf-8"))


def names(family: str | None = None) -> list[str]:
    """Short names of all known models, or of one family in the order of size.

    Raises
        ValueError: unknown family.
    """
    families = {entry["family"] for entry in table().values()}
    if family is not None and family not in families:
        raise unknown("family", family, sorted(families))
    return [name for name, entry in table().items() if family in (None, entry["family"])]


def resolve(name: str) -> tuple[str, dict]:
    """Short name and table entry for a short name or a hub id (`Qwen/Qwen3-0.6B` is `qwen3-0.6b`).

    A hub id that the table does not know is passed on as it is; any other unknown name is a ValueError.
    """
    by_hub = {entry["hub"].lower(): short for short, entry in table().items()}
    short = by_hub.get(name.lower(), name.lower())
    if short in table():
        return short, table()[short]
    if "/" in name:
        return name, {"hub": name, "family": "other"}
    raise unknown("model", name, [*table(), *POCKET], LISTED)


def shown(name: str) -> str:
    """How figures call a model: as the paper does, else as its authors; `name` itself where the table has none."""
    entry = table().get(name)
    if entry is None:
        return name
    return entry.get("in_paper") or entry["hub"].split("/")[-1].removesuffix("-Instruct")


def check_names(given: Sequence[str]) -> None:
    """Refuse a name that can be no model: not known, a folder without a configuration, a path to nothing.

    Raises
        ValueError: unknown name.
        FileNotFoundError, NotADirectoryError: a folder without config.json, no such folder, a file.
    """
    for name in given:
        if os.path.isdir(name):  # not `Path.is_dir`, which fails for a name that is too long
            if is_adapter(name):
                _check_base(name)
            elif not (Path(name) / "config.json").is_file():
                cure = "Save a model there with model.save_pretrained, or name a known model."
                raise FileNotFoundError(f"The folder {name} has no config.json. {cure}")
        elif os.path.isfile(name):
            cure = "Give the folder that it is in. Results that were saved are for `decondense compare`."
            raise NotADirectoryError(f"{name} is a file; a model is a folder. {cure}")
        elif name.startswith(("/", ".", "~")):
            raise FileNotFoundError(f"There is no folder {name}. Give a folder, a model's name, or its id on the hub.")
        elif not is_pocket(name):
            resolve(name)


def is_adapter(name: str) -> bool:
    """Whether the name is a folder with a PEFT adapter alone, without the model that it is for."""
    return (Path(name) / "adapter_config.json").is_file() and not (Path(name) / "config.json").is_file()


def base_of_adapter(folder: Path) -> str:
    """The name of the model that the adapter in a folder is for: a folder, a short name, or a hub id.

    Raises
        ValueError: its configuration is no JSON object, or names none.
    """
    name = configuration(folder, "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        cure = "Write it into adapter_config.json (base_model_name_or_path)."
        raise ValueError(f"The adapter in {folder} names no base model. {cure}")
    if is_adapter(name):
        raise ValueError(f"The adapter in {folder} has another adapter as its base, {name}. Name the model below both.")
    return name


def _check_base(folder: str) -> None:
    base = base_of_adapter(Path(folder))
    try:
        check_names([base])
    except (OSError, ValueError) as error:
        why = str(error).split(". ")[0]  # what follows is a cure for another name than this one
        cure = "Write its hub id, or its folder as seen from the current one, into adapter_config.json"
        said = f"The adapter in {folder} is of a base model that is not here: {why}. {cure} (base_model_name_or_path)."
        raise type(error)(said) from error


def is_pocket(name: str) -> bool:
    """Whether the name is that of a pocket model."""
    return name in POCKET


def is_known(name: str) -> bool:
    """Whether the name, in whatever case, means a model of the table or a pocket model, and no other folder or id."""
    hubs = {entry["hub"].lower() for entry in table().values()}
    return is_pocket(name) or name.lower() in hubs | table().keys()


def check_settings(weights: str, dtype: str, sources: Sequence[str], device: str | None) -> str:
    """Refuse what `load` would refuse for every model; gives the device.

    Raises
        ValueError: unknown weights, dtype, source or device.
    """
    if weights not in ("pretrained", "random"):
        raise unknown("weights", weights, ["pretrained", "random"])
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    for source in sources:
        if source not in SOURCES:
            raise unknown("source", source, SOURCES)
    return machine.device(device)


def configuration(folder: Path, name: str = "config.json") -> dict:
    """The config.json of a folder, or another of its JSON files, as plain data.

    Raises
        ValueError: it is no JSON object; names the file and the cure.
    """
    file = folder / name
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not UTF-8
        raise ValueError(f"{file} is damaged ({error}). Copy it there again.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is no configuration but a {type(found).__name__}. Copy it there again.")
    return found


def positions(name: str) -> int | None:
    """The longest text that a model takes, in tokens; `None` where that is not known before it is loaded.

    Raises
        ValueError: a config.json that is none.
    """
    if is_pocket(name):
        from . import pocket

        return pocket.CONTEXT
    name = base_of_adapter(Path(name)) if is_adapter(name) else name
    there = (Path(name) / "config.json").is_file()
    config = configuration(Path(name)) if there else resolve(name)[1].get("config", {})
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return found if isinstance(found, int) else None


def label(model: str) -> str:
    """The name that a result carries: of a folder the last part of its path, else the model's own.

    Characters that do not print, such as those that steer a terminal, are written as escapes.
    """
    return printable(Path(model).resolve().name if os.path.isdir(model) else model)


def file_name(model: str) -> str:
    """A model as part of a file's name: of a hub id the part after the slash, in lower case.

    What not every system takes becomes `_`, and what is longer than `LONGEST_FILE_NAME` bytes is cut; then a hash of
    the whole name follows, so that two names never get the same file.
    """
    name = label(model).split("/")[-1].lower()
    plain = re.sub(r'[\\/:*?"<>|]', "_", name)
    if plain == name and len(name.encode()) <= LONGEST_FILE_NAME and name.strip("."):
        return name
    return f"{plain.encode()[:LONGEST_FILE_NAME].decode(errors='ignore')}-{sha256(name)[:8]}"
