"""The history of a training that was watched: rows of `step` and `condensation/...`, as a table and as a figure."""

import csv
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..base.files import write_atomically

PREFIX = "condensation/"  # of the keys, which groups them in TensorBoard, W&B and their kin
NAME = "condensation"  # of the files .csv and .png
TALK = {"font.size": 12, "axes.titlesize": 12, "figure.dpi": 110}  # to be read from the last row


def rows(log_history: Sequence[Mapping]) -> list[dict]:
    """The history in `trainer.state.log_history`, where the rows of the loss are too, or in any list of rows."""
    own = lambda row: {key: value for key, value in row.items() if key == "step" or key.startswith(PREFIX)}
    return [own(row) for row in log_history if f"{PREFIX}mu_last" in row]


def save(history: Sequence[Mapping], folder: Path) -> None:
    """Write `condensation.csv` and `condensation.png`. Where that fails it warns: the training was not in vain."""
    if not history:
        return
    try:
        write_atomically(folder / f"{NAME}.csv", table(history))
        image = BytesIO()
        plot(history).savefig(image, format="png", dpi=160)
        write_atomically(folder / f"{NAME}.png", image.getvalue())
    except OSError as error:
        warnings.warn(f"The history of condensation was not written: {error}", stacklevel=2)


def table(history: Sequence[Mapping]) -> str:
    """The history as CSV, one row a look; the columns are `step` and the keys without `condensation/`, sorted."""
    keys = sorted(key for key in history[0] if key != "step")
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", *(key.removeprefix(PREFIX) for key in keys)])
    writer.writerows([row["step"], *(row[key] for key in keys)] for row in history)
    return out.getvalue()


def plot(history: Sequence[Mapping]):
    """mu over the steps, a figure: of the first, middle and last entry as lines, of all over relative depth as colours.

    `history` as `rows` takes it: `trainer.state.log_history` will do. The colours go from 0 to 1 in every figure, so
    that two runs can be laid side by side.

    Raises
        ValueError: a history without a row.
    """
    history = rows(history)
    if not history:
        raise ValueError("Nothing was watched: the history has no row. Draw it after the first look.")
    layers = sorted(key for key in history[0] if key.startswith(f"{PREFIX}mu_layer_"))
    mu = np.array([[row[key] for key in layers] for row in history], dtype=float)
    return _figure(np.array([row["step"] for row in history], dtype=float), mu)


def _figure(steps: Float[np.ndarray, "looks"], mu: Float[np.ndarray, "looks entries"]):
    import matplotlib.pyplot as plt

    from .. import plots

    last = mu.shape[1] - 1
    with plt.rc_context(plots.STYLE | TALK):
        figure, (above, below) = plt.subplots(2, figsize=(7.2, 5.8), sharex=True, layout="constrained")
        for entry, name, colour in ((last, "last", plots.RED), (last // 2, "middle", "0.5"), (0, "first", plots.BLUE)):
            above.plot(steps, mu[:, entry], ".-", color=colour, linewidth=2, clip_on=False, label=f"{name} entry")
        above.set(ylabel="mean cosine μ", ylim=(0, None))
        above.margins(x=0)
        above.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
        how = {"vmin": 0, "vmax": 1, "cmap": "viridis", "rasterized": True}
        image = below.pcolormesh(_edges(steps), _edges(np.linspace(0, 1, last + 1)), mu.T, **how)
        below.set(xlabel="step", ylabel="relative depth", yticks=(0, 0.5, 1))
        below.xaxis.get_major_locator().set_params(integer=True)
        figure.colorbar(image, ax=below, label="mean cosine μ", pad=0.02)
    return plots.closed(figure)


def _edges(centres: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n+1"]:
    """Where the fields of a mesh end: half way to the neighbours, and at the first and the last."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.array([centres[0], *middle, centres[-1]])
