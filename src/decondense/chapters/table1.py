"""Table 1, Fig. 6: what each loss pushes, on two tokens, on a cone of tokens, and on a real layer of a real model."""

import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from torch import Tensor

from .. import corpora, hooks, metrics, models, plots, records
from ..losses import forces
from ..models import pocket
from ..paper.claims import Claim
from ..paper.verdicts import all_above, all_below
from ..plots import BLUE, RED, STYLE, closed


class Probed(NamedTuple):
    """One row for each entry of the residual stream and loss: see `forces.probe`."""

    table: pd.DataFrame
    record: records.Record


def probed(
    model: str,
    corpus: str,
    names: Sequence[str],
    *,
    depths: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    max_length: int = 256,
    step: float = 0.05,
    sources: Sequence[str] = models.SOURCES,
    train_tokens: int = pocket.TRAIN_TOKENS,
    seed: int = 0,
) -> Probed:
    """One step on each of the losses `names` at several depths of a model, on the tokens of one text.

    depths
        Shares of the depth in (0, 1]; the entry round(depth L) of the residual stream, 1 is the last.
    seed
        Of the text (`corpora.sample_texts`) and of a pocket model.

    Raises
        ValueError: a depth outside (0, 1]; what `models.load`, `corpora.load`, `losses.get` raise.
    """
    if not all(0 < depth <= 1 for depth in depths):
        raise ValueError(f"depths must lie in (0, 1], got {list(depths)}.")
    trained = {"train_tokens": train_tokens} if model in pocket.SIZES else {}
    text = corpora.load(corpus, sources)
    config = {
        "model": model, "corpus": corpus, "names": list(names), "depths": list(depths), "max_length": max_length,
        "step": step, "sources": list(sources), "seed": seed, **trained,
    }  # fmt: skip
    name = f"probe-{model.rstrip('/').split('/')[-1].lower()}-{corpus}"
    record = records.run(name, config, lambda: _probe(config, text), __name__, surroundings=_surroundings(text))
    entries = record.content["results"]["entries"]
    tables = {int(entry): pd.DataFrame.from_dict(table, orient="index") for entry, table in entries.items()}
    return Probed(pd.concat(tables, names=["entry", "loss"]), record)


def _probe(asked: dict, text: corpora.Corpus) -> tuple[dict, None]:
    trained = {"train_tokens": asked["train_tokens"]} if "train_tokens" in asked else {}
    model, tokenizer, about = models.load(asked["model"], sources=asked["sources"], seed=asked["seed"], **trained)
    entries = {max(1, round(depth * (hooks.n_entries(model) - 1))) for depth in asked["depths"]}
    (sample,) = corpora.sample_texts(text, 1, asked["seed"])
    ids = tokenizer(sample, truncation=True, max_length=asked["max_length"], return_tensors="pt")["input_ids"]
    keep = lambda entry, hidden: hidden[0].cpu() if entry in entries else None
    with torch.no_grad(), hooks.residual_stream(model, keep) as stream:
        hooks.backbone(model)(ids.to(model.device))
    tables = {
        str(entry): forces.probe(stream[entry], asked["names"], asked["step"]).to_dict("index")
        for entry in sorted(entries)
    }
    return {"entries": tables, "model": about, "corpus": {"name": asked["corpus"], "sha256": text.sha256}}, None


def _surroundings(text: corpora.Corpus) -> dict:
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")}
    return {"corpus": text.sha256, "versions": versions}


# --- what becomes of a cone of tokens -------------------------------------------------------------------------------


def what_becomes(
    cloud: Float[Tensor, "tokens 3"], flows: Mapping[str, Float[np.ndarray, "moments tokens 3"]]
) -> pd.DataFrame:
    """The tokens in numbers before and after the flow of each loss (`forces.flow`): one row a loss, the last `before`.

    Columns: the mean cosine of different tokens, the elongation of the cloud, the mean norm, and, at the beginning, the
    share of the force that is radial.
    """
    rows = {
        name: [*_state(torch.from_numpy(path[-1])), forces.radial_share(name, cloud)] for name, path in flows.items()
    }
    columns = ["mean cosine", "elongation", "mean norm", "radial share of the force"]
    return pd.DataFrame.from_dict(rows | {"before": [*_state(cloud), None]}, orient="index", columns=columns)


def _state(tokens: Float[Tensor, "tokens 3"]) -> tuple[float, float, float]:
    cosine = float(metrics.mean_cosine(tokens).off_diagonal)
    return cosine, forces.elongation(tokens.numpy()), float(tokens.norm(dim=1).mean())


# --- paper against here ---------------------------------------------------------------------------------------------


def claims(angles: pd.DataFrame, flows: pd.DataFrame, layer: pd.DataFrame) -> list[Claim]:
    """Six claims, one or two on each picture of Fig. 6.

    angles
        `forces.by_angle` of dispersion and orthogonalization, at least.
    flows
        `what_becomes` of decorrelation and l2_repel, at least.
    layer
        The rows of `Probed.table` at one entry.
    """
    apart, short = angles["dispersion"], angles["orthogonalization"]
    acute, obtuse = short[angles.index < 90], short[angles.index > 90].abs()
    elongation, cosine = flows["elongation"], flows["mean cosine"]
    norm = layer.loc["l2_repel", "change of norm in %"]
    rows = [
        ("dispersion pushes every pair apart, at every angle", "Fig. 6a", f"{(apart > 0).mean():.0%} of angles",
         "force above 0", all_above(apart.tolist())),
        ("orthogonalization pushes acute pairs apart", "Fig. 6d", f"{(acute > 0).mean():.0%} of angles",
         "force above 0", all_above(acute.tolist())),
        ("orthogonalization leaves obtuse pairs alone", "Fig. 6d", f"largest force {obtuse.max():.1g}",
         "force 0", all_below(obtuse.tolist(), [1e-12] * len(obtuse))),
        ("decorrelation rounds the cloud", "Fig. 6b",
         f"elongation {elongation['before']:.2f} → {elongation['decorrelation']:.2f}",
         "falls", all_above([elongation["before"] - elongation["decorrelation"]])),
        ("ℓ2-repel pushes pairs apart", "Fig. 6c", f"mean cosine {cosine['before']:.2f} → {cosine['l2_repel']:.2f}",
         "falls", all_above([cosine["before"] - cosine["l2_repel"]])),
        ("ℓ2-repel reduces norms on a real layer", "Fig. 6c", f"{norm:.2f} % in one step", "falls", all_above([-norm])),
    ]  # fmt: skip
    return [
        Claim(claim=claim, source=source, published="drawn", here=here, rule=rule, verdict=verdict)
        for claim, source, here, rule, verdict in rows
    ]


# --- figures --------------------------------------------------------------------------------------------------------

_SIGNS = {  # matplotlib's buttons take theirs from a font on the network
    "fa-minus": "−", "fa-fast-backward": "⏮", "fa-step-backward": "⏴", "fa-play fa-flip-horizontal": "◀",
    "fa-pause": "⏸", "fa-play": "▶", "fa-step-forward": "⏵", "fa-fast-forward": "⏭", "fa-plus": "+",
}  # fmt: skip


def force_curves(table: pd.DataFrame) -> Figure:
    """`forces.by_angle` as lines, each divided by its largest size, so that shapes can be compared."""
    shapes = dict((table / table.abs().max()).items())
    figure = plots.curves(shapes, "angle between two tokens (degrees)", "force, apart is positive", zero=True)
    figure.axes[0].set_xticks(range(0, 181, 45))
    return figure


def vector_fields(names: Sequence[str], points: Float[Tensor, "tokens 3"], length: float = 0.45) -> Figure:
    """For each loss the tokens on the unit sphere and the force on each; the longest arrow has the given length."""
    with plt.rc_context(STYLE):
        figure, axes = _globes(names)
        for axis, name in zip(axes, names, strict=True):
            push = forces.force(name, points).numpy()
            arrows = length * push / max(np.linalg.norm(push, axis=1).max(), 1e-12)
            axis.scatter(*points.T, s=9, color=BLUE, depthshade=True)
            axis.quiver(*points.T, *arrows.T, color=RED, linewidth=0.9, arrow_length_ratio=0.3)
    return closed(figure)


def animation(flows: Mapping[str, Float[np.ndarray, "moments tokens 3"]], every: int = 5):
    """The directions of the tokens along each flow (`forces.flow`), every so many steps, with buttons and a slider.

    HTML that holds all it needs. Without JavaScript the last step is shown.
    """
    from IPython.display import HTML

    with plt.rc_context(STYLE | {"figure.dpi": 80}):
        figure, axes = _globes(list(flows))
        dots = [axis.plot([], [], [], "o", markersize=3, color=BLUE)[0] for axis in axes]

        def show(step: int) -> None:
            figure.suptitle(f"step {step}")
            for line, path in zip(dots, flows.values(), strict=True):
                line.set_data_3d(*metrics.unit_rows(torch.from_numpy(path[step])).numpy().T)

        moments = range(0, len(next(iter(flows.values()))), every)
        html = FuncAnimation(closed(figure), show, moments, interval=300, repeat=False).to_jshtml()
    return HTML(_without_network(html))


def _without_network(html: str) -> str:
    """What `to_jshtml` made, with signs for the icons it would load, and the last frame where no script runs."""
    html = re.sub(r"<link[^>]*>", "", html).replace("\\\n", "")
    html = re.sub(r'<i class="fa ([^"]*)"></i>', lambda icon: _SIGNS[icon[1]], html)
    last = re.findall(r"data:image/png;base64,[^\"]*", html)[-1]
    return html.replace("<img id", f'<img alt="tokens on spheres, step by step" src="{last}" id', 1)


def _globes(titles: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """Unit spheres side by side."""
    figure, axes = plt.subplots(
        1, len(titles), figsize=(2.7 * len(titles), 2.9), subplot_kw={"projection": "3d"}, layout="constrained"
    )
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    for axis, title in zip(np.atleast_1d(axes), titles, strict=True):
        axis.plot_wireframe(np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v), color="0.85", linewidth=0.4)
        axis.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
        axis.set_box_aspect((1, 1, 1))
        axis.view_init(elev=20, azim=20)
        axis.set_axis_off()
        axis.set_title(title)
    return figure, np.atleast_1d(axes)
