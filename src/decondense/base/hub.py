"""The Hugging Face hub: the commit that a name means, its refusals in words, and downloads held against their hash."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path

from .extras import need
from .files import CANNOT_WRITE, cache_dir, write_atomically

AGAIN = "the same command goes on from there"
NETWORK = ("httpx", "httpx2", "httpcore", "requests", "urllib3", "aiohttp")  # some of their errors are no OSError
COMMIT = re.compile(r"[0-9a-f]{40}")
CHECKED = "checked"  # in our cache: which files of the hub's cache were found right
OF_BLOB = re.compile(r"[0-9a-f]{64}")  # a file in the hub's cache that is named by its SHA-256


def commit(model: str, revision: str | None = None, local: bool = False) -> str:
    """The commit that a revision of a model's repository means now; with `local`, in what the hub's cache holds.

    The configuration is downloaded for it, which every model needs: the cache then knows the name of the revision too.

    Raises
        OSError: whatever the hub refuses, see `in_words`; nothing in the cache.
        ValueError: what answers has no commits.
    """
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(model, "config.json", revision=revision, local_files_only=local)
    return checked(Path(path).parent.name, model)


def rows(dataset: str, configuration: str | None, split: str, *, streaming: bool = False) -> tuple:
    """A split of a data set on its main branch, and the commit that it is from; offline, what the cache holds.

    Raises
        OSError: whatever the hub refuses, see `in_words`.
        ValueError: a file is not the one that the hub names, or what answers has no commits.
        ImportError: the extra `train`, with `datasets`, is missing.
    """
    datasets = need("datasets", extra="train")
    if datasets.config.HF_HUB_OFFLINE:
        with whole(dataset, "datasets") as prepared:
            table = datasets.load_dataset(dataset, configuration, split=split)
            prepared += folders(table)
        return table, commit_of_rows(table, dataset)
    from huggingface_hub import HfApi

    with plainly(dataset, kind="datasets"):
        at = checked(HfApi().dataset_info(dataset).sha, dataset)
        how = {"streaming": True} if streaming else {}
        with whole(dataset, "datasets", at) as prepared:
            table = datasets.load_dataset(dataset, configuration, split=split, revision=at, **how)
            prepared += [] if streaming else folders(table)
    return table, at


def commit_of_rows(table, name: str) -> str:
    """The commit that the rows of a data set were read from: `datasets` keeps them in a folder of this name.

    Raises
        ValueError: they are from no commit.
    """
    return checked(next((folder.name for folder in folders(table)), None), name)


def folders(table) -> list[Path]:
    """Where `datasets` keeps the rows that it made of the files of the hub."""
    return [Path(file["filename"]).parent for file in table.cache_files]


def checked(found: str | None, name: str) -> str:
    """A commit as it is.

    Raises
        ValueError: it is none.
    """
    if not COMMIT.fullmatch(found or ""):
        cure = "Without one no number could be traced to it: see whether HF_ENDPOINT is a hub, or give a local folder."
        raise ValueError(f"Which commit of {name} was read is not known. {cure}")
    return found


def cache() -> Path:
    """The folder in which the hub's library keeps models."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def folder(name: str, kind: str = "models") -> Path:
    """Where the hub's library keeps the files of a repository."""
    return cache() / f"{kind}--{name.replace('/', '--')}"


@contextmanager
def whole(name: str, kind: str = "models", at: str = "*") -> Iterator[list[Path]]:
    """Hold the files of a commit, or of all, against the hash that the hub names each by: its library does not.

    Each is read for it once, after its first use; our cache notes that it was right. So a run that is killed between a
    download and this look leaves it to the next. The list that is given is for folders made of these files: they go
    where a file is wrong.

    Raises
        ValueError: a file is another one. It is removed.
    """
    made = []
    try:
        yield made
    except Exception:  # a file that cannot be read may be a wrong one
        _refuse_wrong(name, kind, at, made)
        raise
    _refuse_wrong(name, kind, at, made)


def _refuse_wrong(name: str, kind: str, at: str, made: Iterable[Path]) -> None:
    note = cache_dir() / CHECKED / f"{folder(name, kind).name}.json"
    right = _read(note)
    linked = {link.resolve() for link in (folder(name, kind) / "snapshots").glob(f"{at}/**/*") if link.is_file()}
    for path in sorted(linked):
        if not OF_BLOB.fullmatch(path.name) or right.get(str(path)) == _state(path):
            continue
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
        if found != path.name:
            raise _removed(path, found, name, made)
        right[str(path)] = _state(path)
        with suppress(OSError):  # a full disk: it is read again
            write_atomically(note, json.dumps(right))


def _read(note: Path) -> dict[str, list[int]]:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _state(path: Path) -> list[int]:
    """What changes when another file comes to this name."""
    now = path.stat()
    return [now.st_size, now.st_mtime_ns]


def _removed(path: Path, found: str, name: str, made: Iterable[Path]) -> ValueError:
    path.unlink()
    for of_it in made:
        shutil.rmtree(of_it, ignore_errors=True)
    return ValueError(
        f"A file of {name} came with the SHA-256 {found[:12]}..., the hub says {path.name[:12]}... It is removed: "
        "the same command downloads it again."
    )


@contextmanager
def plainly(name: str, revision: str | None = None, kind: str = "models") -> Iterator[None]:
    """Turn what the libraries of the hub raise for a refusal or a broken connection into one line with its cure.

    Raises
        ConnectionError: with `in_words`, for what may pass: a busy hub, a fault of its own, a broken connection.
        FileNotFoundError: with `in_words`, for what does not: no such repository or revision, no access.
        OSError: a full disk; it keeps its number.
    """
    try:
        yield
    except Exception as error:
        if said := in_words(error, name, revision, kind):
            raise (ConnectionError if _passes(error) else FileNotFoundError)(said) from error
        if (full := _full(error)) is not None:
            cure = f"Free some space, or set HF_HOME to a folder on another disk: {AGAIN}"
            raise OSError(full, f"{os.strerror(full)}. {cure}", str(cache())) from error
        raise


def _passes(error: BaseException) -> bool:
    """Whether the same request may be answered later."""
    statuses = [answer.status_code for answer in _answers(error)]
    return not statuses or statuses[-1] in (408, 429) or statuses[-1] >= 500


def may_pass(error: BaseException) -> bool:
    """Whether a source that failed may be asked again later: not where it was switched off."""
    off = any("OfflineModeIsEnabled" in f"{type(e).__name__} {e}" for e in _chain(error))  # `datasets` keeps its name
    return isinstance(error, ConnectionError) and not off


def _answers(error: BaseException) -> list:
    """The answers of the hub that the error came from."""
    return [answer for e in _chain(error) if (answer := getattr(e, "response", None)) is not None]


def in_words(error: BaseException, name: str, revision: str | None = None, kind: str = "models") -> str | None:
    """One line for what the hub or the connection to it refused; `None` for any other error."""
    if answers := _answers(error):
        return _refusal(answers[-1].status_code, answers[-1].headers, name, revision, kind)
    for e in reversed(list(_chain(error))):
        if type(e).__module__.split(".")[0] in NETWORK:
            why = str(e).splitlines()[0] if str(e) else "no answer"
            return f"the connection broke ({type(e).__name__}: {why}); what came is kept, {AGAIN}"
    return None


def _refusal(status: int, headers: Mapping, name: str, revision: str | None, kind: str) -> str:
    where = f"{_endpoint()}/{'' if kind == 'models' else f'{kind}/'}{name}"
    code = headers.get("X-Error-Code")
    if code == "GatedRepo" and status == 403:
        return f"{name} is gated and your account has no access (403): ask for it at {where}, then {AGAIN}"
    if code == "GatedRepo":
        return f"{name} is gated ({status}): accept its terms at {where} and log in with `hf auth login`, then {AGAIN}"
    if code == "RevisionNotFound":
        return f"{name} has no revision {revision!r} ({status}): {where}/tree/main lists them"
    if code == "EntryNotFound":
        return f"{name} lacks a file that was asked for ({status}): see {where}/tree/{revision or 'main'}"
    if code == "RepoNotFound" or status in (401, 404):
        return f"there is no {name}, or it is private ({status}): look at the name, or log in with `hf auth login`"
    if status == 429:
        wait = headers.get("Retry-After")
        return f"too many requests (429): wait {f'{wait} s' if wait else 'some minutes'}, then {AGAIN}"
    if status >= 500:
        return f"the hub has a fault of its own ({status}): try later, {AGAIN}"
    return f"the hub refused {name} ({status}): {headers.get('X-Error-Message') or f'see {where}'}"


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _full(error: BaseException) -> int | None:
    numbers = [getattr(e, "errno", None) for e in _chain(error)]
    return next((n for n in numbers if n in CANNOT_WRITE or n == errno.ENOSPC), None)
