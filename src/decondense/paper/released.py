"""Where the released pre-training code differs from the paper's text (`released.toml`): facts, with their commits."""

import tomllib
from functools import cache
from pathlib import Path

from . import pd

_COLUMNS = {"released": "the released code", "paper": "the paper", "switch": "as a run here", "default": "usual here"}
_SHOWN = 7  # digits of a commit


def source() -> str:
    """The repository in words, with its name."""
    return f"{_read()['what']}, `{_read()['repository']}`"


def unknown() -> str:
    """What is not known of it, as a sentence."""
    return _read()["unknown"]


def differences() -> dict[str, dict]:
    """By name: `released`, `file`, `commits`, `paper`; `mended`, `switch` and `default` where there is one."""
    return {name: dict(entry) for name, entry in _read().items() if isinstance(entry, dict)}


def table() -> pd.DataFrame:
    """One row a difference: what code and paper say, the settings of a run here, commits ("mended in" the last)."""
    rows = {name: _row(entry) for name, entry in differences().items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("difference")


def _row(entry: dict) -> dict[str, str]:
    commits = ", ".join(commit[:_SHOWN] for commit in entry["commits"])
    mended = f"; mended in {entry['mended'][:_SHOWN]}" if "mended" in entry else ""
    return {column: entry.get(name, "") for name, column in _COLUMNS.items()} | {"commits": commits + mended}


@cache
def _read() -> dict:
    return tomllib.loads(Path(__file__).with_name("released.toml").read_text(encoding="utf-8"))
