"""The command `cache`: what decondense keeps on this disk, how large, what for, and what nobody needs any more."""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ..base import assets
from ..base import cache as kept
from ..base.files import cache_dir, repository_root
from .command import AsJson, Quiet, console, print_json, said_plainly

ONE_BY_ONE = ("assets", "unknown")  # the others are counted by kind
MB = 1e6


@said_plainly
def cache(
    clean: Annotated[bool, typer.Option("--clean", help="Remove what is no longer needed.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show what the cache folder holds, how large it is, and what for; with --clean remove what nobody needs.

    Not needed are what a killed process left, what another version of
    decondense made, and what was made here and not used for 30 days. Downloads
    that this version reads, records, and runs that wait to go on stay.
    To free more, delete assets, mirrors, pocket, corpora, streams or benchmarks
    in that folder while no other command runs: they are downloaded or made
    again. Do not delete records, which are results, nor pretraining and
    midtraining, which are runs that wait to go on.

    \b
    Examples:
      decondense cache
      decondense cache --clean
      decondense cache --json
    """
    gone = kept.clean() if clean else []
    found, why = kept.items(), _purposes()
    if as_json:
        rows = {"removed": gone, "kept": found} if clean else {"kept": found}
        listed = {name: [_as_json(item, why) for item in items] for name, items in rows.items()}
        print_json({"folder": str(cache_dir()), "bytes": _total(found), "free": _total(_needless(found))} | listed)
    shown = console(quiet, as_json)
    shown.print(Text(str(cache_dir())), soft_wrap=True)
    _show(gone if clean else found, why, shown)
    _conclude(gone, found, clean, shown)


def _purposes() -> dict[str, str]:
    """Asset -> what it is for."""
    from .. import models
    from . import readiness

    try:
        users = readiness.users(repository_root())
    except FileNotFoundError:
        users = {}
    weights = {entry["mirror"] for entry in models.table().values() if "mirror" in entry}
    kind = lambda asset: "weights" if "folder" in asset else "packed weights"
    what = {name: kind(asset) if name in weights else "data" for name, asset in assets.table().items()}
    profiles = {name: f", profile {', '.join(users[name])}" if name in users else "" for name in what}
    return {name: what[name] + profiles[name] for name in what}


def _what_for(item: kept.Item, why: Mapping[str, str]) -> str:
    if item.kind == "unknown":
        return "nothing that decondense made"
    if item.kind == "mirrors" and item.needless:
        return "unpacked weights"
    return why.get(item.path.name, kept.KINDS[item.kind]) if item.kind == "assets" else kept.KINDS[item.kind]


def _as_json(item: kept.Item, why: Mapping[str, str]) -> dict:
    name = item.path.relative_to(cache_dir())
    used = date.fromtimestamp(item.used).isoformat()
    return {
        "name": str(name),
        "bytes": item.bytes,
        "used": used,
        "what_for": _what_for(item, why),
        "needless": item.needless,
    }


def _show(items: Sequence[kept.Item], why: Mapping[str, str], shown: Console) -> None:
    """One line for each download, and for each kind of what is made of them."""
    groups: dict[tuple[str, str], list[kept.Item]] = {}
    for item in items:
        name = item.path.name if item.kind in ONE_BY_ONE else item.kind
        groups.setdefault((item.needless, name), []).append(item)
    for (needless, name), group in sorted(groups.items(), key=lambda pair: (pair[0][0], -_total(pair[1]))):
        used = _ago(max(item.used for item in group))
        what = f"{name}: {_what_for(group[0], why)}{f' ({len(group)})' if len(group) > 1 else ''}"
        line = Text(f"{_total(group) / MB:>8,.0f} MB  {used:12}  {what}")
        shown.print(line.append(f"; {needless}" if needless else "", "yellow"), soft_wrap=True)


def _conclude(gone: Sequence[kept.Item], found: Sequence[kept.Item], clean: bool, shown: Console) -> None:
    total, free = f"{_total(found) / MB:,.0f} MB", _total(_needless(found))
    if clean:
        shown.print(f"Removed {_total(gone) / MB:,.0f} MB; {total} are kept.", soft_wrap=True)
        return
    cure = f"; {free / MB:,.0f} MB of them are no longer needed: decondense cache --clean" if free else ""
    shown.print(Text(f"{total} in all{cure}."), soft_wrap=True)


def _needless(items: Sequence[kept.Item]) -> list[kept.Item]:
    return [item for item in items if item.needless]


def _total(items: Sequence[kept.Item]) -> int:
    return sum(item.bytes for item in items)


def _ago(used: float) -> str:
    days = int((time.time() - used) / 86400)
    return "today" if days < 1 else f"{days} days ago" if days > 1 else "yesterday"
