"""The sizes of a run: `ci`, `laptop`, `gpu`, `paper`. Data in `profiles.toml`, one table per notebook."""

import tomllib
from functools import cache
from pathlib import Path

from ..base.errors import unknown

PROFILES = ("ci", "laptop", "gpu", "paper")


@cache
def _table() -> dict:
    return tomllib.loads((Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8"))


def notebook_id(path: Path | str) -> str:
    """The short name of a notebook: `02_fig2_model_families.ipynb` -> `fig2`."""
    return Path(path).stem.split("_")[1]


def parameters(profile: str, notebook: str) -> dict[str, object]:
    """The parameters of one notebook in one profile, as `{NAME: value}`.

    What a profile says of every notebook (its `all` table, less what the notebook is `without`) comes first, the
    notebook's own table over it.

    Raises
        ValueError: unknown profile, or a notebook that the profile does not know.
    """
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    tables = _table()[profile]
    if notebook not in tables:
        raise unknown("notebook", notebook, [name for name in tables if name != "all"])
    without = _table().get("without", {}).get(notebook, [])
    return {name: value for name, value in tables["all"].items() if name not in without} | tables[notebook]


def is_offline(profile: str) -> bool:
    """Whether a run in this profile must not ask the hub."""
    return profile in _table()["network"]["offline"]


def shows_committed(profile: str) -> bool:
    """Whether a page that a run in this profile has not executed shows the committed run, and says so."""
    return profile in _table().get("committed", {}).get("shown", [])


def about(profile: str) -> str:
    """One or two sentences: what the numbers of a run in this profile are worth."""
    return _table()["about"][profile]


def needs(notebook: str) -> list[str]:
    """The notebooks whose records this one shows again: they run before it."""
    return _table()["needs"].get(notebook, [])


def estimate_minutes(profile: str, notebook: str) -> float | None:
    """Minutes that this notebook took in this profile on two CPU cores; `None` where nobody has measured it."""
    return _table()["minutes"].get(profile, {}).get(notebook)
