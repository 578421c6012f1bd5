"""The pictures of the committed run: what the cone is made of (README, first page), and what came of the claims."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .. import models, records
from ..base.files import sha256
from ..condensation import Condensation
from ..models import catalogue
from ..paper.claims import EXPERIMENT
from ..paper.verdicts import BADGES, CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED, SMALLER
from ..plots import BLUE, STYLE, WIDTH, closed, label_ends, nothing
from .profiles import notebook_id
from .scorecard import counted

PICTURE, CONE = "overview.png", "cone.png"
DPI = 200  # twice what the column of a page shows
COLOURS = {
    REPRODUCED: "#2e7d4f",
    PARTLY: "#e0a526",
    SMALLER: "#3f8fae",
    CONTRADICTED: "#b23b3b",
    CANNOT_TELL: "#8a76b8",
    NOT_TESTABLE: "#c9c9c9",
}
PARTS = "cone"  # the page whose measurements are drawn
OF_THIS_BOOK = "pocket-"  # models trained for seconds: no evidence in a picture without words
LINES = (BLUE, "#00796b", "#b85000", "#7b3294", "#5d5d5d")  # dark enough for names in the same colours
ENCODERS = "Sentence encoders"  # the family: they are asked another question


def draw(committed: Mapping[str, dict]) -> Figure:
    """The verdicts of the experiments, page by page; `committed` as `scorecard.read_committed` gives it."""
    pages = {_page(name): counts for name, file in committed.items() if (counts := _counted(file))}
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH, 0.26 * len(pages) + 1.3), layout="constrained")
        start = [0] * len(pages)
        for verdict in BADGES:
            counts = [found[verdict] for found in pages.values()]
            axis.barh(list(pages), counts, left=start, color=COLOURS[verdict], label=f"{verdict} ({sum(counts)})")
            start = [a + b for a, b in zip(start, counts, strict=True)]
        axis.invert_yaxis()
        axis.tick_params(axis="y", length=0)
        axis.set(xlabel="claims of the paper")
        figure.legend(loc="outside lower center", ncols=3)
    return closed(figure)


def _page(name: str) -> str:
    """`Fig. 2: model families` of `02_fig2_model_families`."""
    short, _, rest = name.partition("_")[2].partition("_")
    place = re.sub(r"^(fig|table)", lambda found: {"fig": "Fig. ", "table": "Table "}[found[0]], short)
    return f"{place}: {rest.replace('_', ' ')}"


def cone(committed: Mapping[str, dict], results: Path) -> Figure:
    """Mean cosine within (solid) and between texts (dashed) over depth, of the language models that were measured as
    others trained them (left) and with their first weights (right). Without any the figure says so.
    """
    found: dict[str, dict[str, Condensation]] = {"pretrained": {}, "random": {}}
    for record in _records(committed, results, PARTS):
        config = record.content["config"]
        if config.get("weights") in found and config.get("controls") and _is_shown(config["model"]):
            found[config["weights"]][config["model"]] = Condensation.load(record.arrays)
    names = sorted(found["pretrained"].keys() & found["random"].keys())
    if not names:
        return nothing()
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.25), layout="constrained", sharey=True)
        for axis, weights, title in zip(axes, found, ("Pretrained", "Untrained: first weights"), strict=True):
            shown = {models.shown(name): found[weights][name] for name in names}
            _within_and_between(axis, shown)
            axis.set_title(title, loc="left")
        axes[0].set(ylabel="mean cosine of two tokens", ylim=(0, 1.02))
        ends = zip(shown.items(), _palette(len(shown)), strict=True)
        label_ends(axes[1], [(result.controls["within"][-1], name, colour) for (name, result), colour in ends], 1.0)
        _say_styles(axes[1], *shown.values())
    return closed(figure)


def _is_shown(model: str) -> bool:
    return not model.startswith(OF_THIS_BOOK) and catalogue.resolve(model)[1]["family"] != ENCODERS


def _palette(n: int) -> list[str]:
    return [LINES[i % len(LINES)] for i in range(n)]


def _within_and_between(axis, shown: Mapping[str, Condensation]) -> None:
    for result, colour in zip(shown.values(), _palette(len(shown)), strict=True):
        within, between = result.controls["within"], result.controls["between"]
        axis.plot(result.layer_fraction, within, color=colour, linewidth=1.6)
        axis.plot(result.layer_fraction, between, "--", color=colour, linewidth=1.3)
        for part in ("within", "between"):
            axis.fill_between(
                result.layer_fraction, *result.controls.interval(part), color=colour, alpha=0.12, linewidth=0
            )
    axis.set(xlim=(0, 1), xticks=(0, 0.5, 1), xlabel="depth (layer fraction)")


def _say_styles(axis, *results: Condensation) -> None:
    """What solid and dashed lines are, written over the one that is highest in the middle and under the lowest."""
    middle = lambda result, part: float(np.interp(0.5, result.layer_fraction, result.controls[part]))
    high, low = (max(middle(r, "within") for r in results), min(middle(r, "between") for r in results))
    axis.text(0.5, high + 0.05, "solid: of one text", ha="center", color="0.3")
    axis.text(0.5, low + 0.04, "dashed: of two texts", ha="center", color="0.3")


def save(committed: Mapping[str, dict], results: Path, folder: Path) -> list[Path]:
    """Write both pictures into a folder, with the hash of the verdicts that they show (`shown`) in the files."""
    paths = [folder / PICTURE, folder / CONE]
    for figure, path in zip((draw(committed), cone(committed, results)), paths, strict=True):
        figure.savefig(path, dpi=DPI, metadata={"Description": shown(committed)})
    return paths


def shown(committed: Mapping[str, dict]) -> str:
    """Which verdicts and records a picture shows, as a hash."""
    return sha256(json.dumps(committed, sort_keys=True))


def _records(committed: Mapping[str, dict], results: Path, page: str) -> Iterator[records.Record]:
    names = next((file["records"] for name, file in committed.items() if notebook_id(name) == page), [])
    return filter(None, (records.read(results / name) for name in names))


def _counted(file: dict) -> Counter:
    return Counter(claim["verdict"] for claim in counted([file], EXPERIMENT))
