"""Tables of the book's own pages, as HTML: rows with attributes, and the controls that filter them."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape


def table(kind: str, head: Iterable[str], rows: Iterable[str]) -> str:
    """A table of the CSS class `kind`, of `row`s; it scrolls inside the page."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join(rows)
    inside = f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="scroll"><table class="{kind}">\n{inside}\n</table></div>'


def row(cells: Iterable[object], **data: str) -> str:
    """A row of cells, each HTML; `data` are what its `data-NAME` attributes hold."""
    said = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return f"<tr{said}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def filters(kind: str, choices: Mapping[str, Sequence[str]], chosen: Mapping[str, str]) -> str:
    """A choice for each `data-NAME` of the rows of the tables `kind`: `_static/filter.js` shows the form and obeys it.

    choices
        NAME -> the values to choose from, besides all of them.
    chosen
        NAME -> what is chosen at first. Without JavaScript all rows are shown.
    """
    boxes = "".join(_box(name, values, chosen.get(name, "")) for name, values in choices.items())
    return f'<form class="filter" data-table="{kind}" hidden>{boxes}<output></output></form>'


def _box(name: str, values: Sequence[str], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(value) or "all"}</option>'
        for value in ("", *values)
    )
    return f'<label>{escape(name)} <select name="{escape(name)}">{options}</select></label>'
