"""One claim as a row of HTML cells: the same on the scorecard and at the end of a notebook."""

from collections.abc import Mapping
from html import escape

from .verdicts import BADGES

COLUMNS = ("verdict", "claim", "published", "here", "tolerance")


def badge(verdict: str, count: int | None = None) -> str:
    """A verdict as a small coloured label with a sign of its own, so that colour is not needed to read it.

    With a `count` that number stands in it, and the verdict in its tool tip.
    """
    if count is None:
        return f'<span class="verdict {BADGES[verdict]}">{verdict}</span>'
    return f'<span class="verdict {BADGES[verdict]}" title="{verdict}" aria-label="{count} {verdict}">{count}</span>'


def cells(claim: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a claim under `COLUMNS`: the verdict first, so that a narrow screen shows it."""
    said = {name: escape(str(value)) for name, value in claim.items()}
    return (
        badge(claim["verdict"]),
        f"{said['claim']}<br><small>{said['source']}</small>",
        said["published"],
        f"{said['here']}<br><small>{said['why']}</small>",
        said["tolerance"],
    )
