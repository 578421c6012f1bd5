"""The page of the committed run: where it differs from this one, and its records."""

from collections.abc import Mapping
from html import escape

from ..paper.claims import badge
from . import tables
from .profiles import notebook_id
from .scorecard import behind

HEAD = ("claim", "committed run", "this run")
Claims = dict[tuple[str, str, str], dict]  # notebook, claim, source -> claim


def committed_run(committed: Mapping[str, dict], verdicts: Mapping[str, dict]) -> str:
    """The claims of which the committed run and this one say another verdict or number; then the committed records."""
    kept = ", ".join(f"`{profile}`" for profile in sorted({file["profile"] for file in committed.values()}))
    lines = [
        "# The committed run",
        f"What the repository keeps of a full run, in the profile {kept or 'none'}. "
        "Each record says when, on what machine and with which versions it was made.",
        "## Where this run differs",
        _differences(_claims(committed, verdicts), _claims(verdicts, committed)),
    ]
    if missing := [f"[](../notebooks/{name}.ipynb)" for name in committed if name not in verdicts]:
        lines += [f"Only in the committed run: {'; '.join(missing)}."]
    return "\n\n".join([*lines, *behind(dict(committed), "results")]) + "\n"


def _claims(files: Mapping[str, dict], others: Mapping[str, dict]) -> Claims:
    """The claims of the notebooks that both runs have."""
    return {(n, c["claim"], c["source"]): c for n, file in files.items() if n in others for c in file["claims"]}


def _differences(committed: Claims, here: Claims) -> str:
    keys = list(dict.fromkeys([*committed, *here]))
    differ = [key for key in keys if _said(committed.get(key)) != _said(here.get(key))]
    if not differ:
        return f"Nowhere: all {len(keys)} claims that both runs tested have the same verdict and the same numbers."
    rows = [tables.row((_claim(key), _cell(committed.get(key)), _cell(here.get(key)))) for key in differ]
    said = f"Of {len(keys)} claims that both runs tested, {len(differ)} have another verdict or other numbers."
    return f"{said}\n\n{tables.table('differences', HEAD, rows)}"


def _said(claim: Mapping[str, str] | None) -> tuple[str, str] | None:
    return claim and (claim["verdict"], claim["here"])


def _claim(key: tuple[str, str, str]) -> str:
    notebook, claim, source = map(escape, key)
    link = f'<a href="../notebooks/{notebook}.html">{notebook_id(notebook)}</a>'
    return f"{claim}<br><small>{source} · {link}</small>"


def _cell(claim: Mapping[str, str] | None) -> str:
    return f"{badge(claim['verdict'])}<br>{escape(claim['here'])}" if claim else "no such claim"
