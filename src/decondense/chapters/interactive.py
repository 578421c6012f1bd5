"""A slider over figures that works in a notebook and in the book, without a server and without the network."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from uuid import uuid4

import numpy as np
from matplotlib.figure import Figure

from ..base.extras import need
from . import field_plots


def flows(moments: dict[str, np.ndarray], every: int = 5):
    """A slider over the steps of flows (`fields.flow`), every so many steps; shows the last one first."""
    steps = range(0, len(next(iter(moments.values()))), every)
    frames = [field_plots.places(moments, step) for step in steps]
    return slider(frames, [f"step {s}" for s in steps], "tokens on spheres", start=len(frames) - 1)


def slider(frames: Sequence[Figure], labels: Sequence[str], about: str, start: int = 0):
    """The frames one at a time, chosen with a slider; with no JavaScript the frame number `start` is shown.

    about
        What the picture shows, for those who cannot see it.

    Raises
        ValueError: no frame, another number of labels, or a first frame that is not there.
    """
    if not frames or len(frames) != len(labels):
        raise ValueError(f"{len(frames)} frames and {len(labels)} labels: give one label for each frame.")
    if not 0 <= start < len(frames):
        raise ValueError(f"start must be 0 to {len(frames) - 1}, got {start}.")
    name = f"frames-{uuid4().hex[:8]}"
    images = "".join(
        f'<img src="data:image/png;base64,{_png(frame)}" alt="{escape(about)}, {escape(label)}" '
        f'data-label="{escape(label)}" style="max-width:100%;{"" if number == start else "display:none"}">'
        for number, (frame, label) in enumerate(zip(frames, labels, strict=True))
    )
    choose = (
        f"const f=document.getElementById('{name}');const i=f.querySelectorAll('img');"
        "i.forEach((e,k)=>{e.style.display=k==this.value?'':'none'});"
        "f.querySelector('output').textContent=i[this.value].dataset.label"
    )
    return need("IPython.display", extra="book").HTML(
        f'<div id="{name}">{images}<div><label><input type="range" min="0" max="{len(frames) - 1}" '
        f'value="{start}" aria-label="{escape(about)}" '
        f'oninput="{choose}"></label> <output>{escape(labels[start])}</output></div></div>'
    )


def _png(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode()
