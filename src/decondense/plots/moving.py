"""Figures that a reader moves: HTML which the book's script (`_static/moving.js`) puts in place of a static figure.

Without that script, as in Jupyter, Colab and print, the static figure stays, and one line says what the book shows.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

from matplotlib.figure import Figure

DPI, QUALITY = 144, 78  # of a frame: 9 frames of two spheres have 400 kB
PIXELS = 96  # of a page, an inch
NOTE = "In the book, and with JavaScript, the figure {name} has {what} to move."


def slider(frames: Mapping[str, Figure], name: str, what: str):
    """A slider that says which of the frames is shown, at first the last, in place of a figure of the page: HTML.

    frames
        What the slider says, and what it shows; all of one size.
    name
        Of the static figure (`mystnb`); its caption stays, and must suit both.
    what
        What changes from frame to frame: the name of the slider.

    Raises
        ValueError: fewer than two frames, or of different sizes.
    """
    sizes = {tuple(figure.get_size_inches()) for figure in frames.values()}
    if len(frames) < 2 or len(sizes) > 1:
        raise ValueError(f"A slider needs two frames or more, all of one size; got {list(frames)} of {sorted(sizes)}.")
    images = "".join(_frame(label, figure, what) for label, figure in frames.items())
    last = len(frames) - 1
    field = f'<input type="range" min="0" max="{last}" value="{last}" aria-label="{escape(what)}">'
    control = f'<p class="control"><span>{escape(what)}</span>{field}<output></output></p>'
    return _html("frames", name, "a slider", "", control + images)


def _frame(label: str, figure: Figure, what: str) -> str:
    file, wide = BytesIO(), round(PIXELS * figure.get_size_inches()[0])
    figure.savefig(file, format="webp", dpi=DPI, pil_kwargs={"quality": QUALITY, "method": 6})
    source = base64.b64encode(file.getvalue()).decode()
    said = f'alt="The figure at {escape(what)} {escape(label)}." data-label="{escape(label)}"'
    return f'<img hidden {said} width="{wide}" src="data:image/webp;base64,{source}">'


def dragged(mu: Sequence[float], name: str):
    """Points of mu over the entries 0..L to drag in place of the figure `name`, with two numbers under them: HTML.

    They are Spearman's rho of mu with the entry (ties get their mean rank; "none" where mu is constant) and the mean
    over the entries L // 2 + 1..L, both of mu as it is drawn: rounded to a hundredth, within [0, 1].

    Raises
        ValueError: fewer than three entries, or a value outside [0, 1].
    """
    values = [float(value) for value in mu]
    if len(values) < 3 or not all(0 <= value <= 1 for value in values):
        raise ValueError(f"A curve to be dragged needs three values or more within [0, 1], got {values}.")
    data = f" data-mu='{json.dumps([round(value, 2) for value in values])}'"
    return _html("curve", name, "points", data, "<output></output>")


def _html(kind: str, name: str, what: str, data: str, content: str):
    from IPython.display import HTML

    note = f"<p>{NOTE.format(name=f'<code>{escape(name)}</code>', what=what)}</p>"
    return HTML(f'{note}<div class="moving {kind}" data-figure="{escape(name)}"{data} hidden>{content}</div>')
