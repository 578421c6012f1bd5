"""The pictures of the README and the first page: what the committed run measured, and what came of the claims."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .. import records
from ..base.files import sha256
from ..chapters.cone import figures
from ..condensation import Condensation
from ..paper.claims import EXPERIMENT
from ..paper.verdicts import BADGES, CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, PARTLY, REPRODUCED, SMALLER
from ..plots import STYLE, closed, colours
from .profiles import notebook_id
from .scorecard import counted

PICTURE, CONE = "overview.png", "cone.png"
COLOURS = {
    REPRODUCED: "#2e7d4f",
    PARTLY: "#e0a526",
    SMALLER: "#3f8fae",
    CONTRADICTED: "#b23b3b",
    CANNOT_TELL: "#8a76b8",
    NOT_TESTABLE: "#c9c9c9",
}
FAMILIES, PARTS = "fig2", "cone"  # the pages whose measurements are drawn
OF_THIS_BOOK = "pocket-"  # models trained for seconds: no evidence in a picture without words


def draw(committed: Mapping[str, dict], results: Path) -> Figure:
    """Left: mean cosine mu over depth, 95 % band over the texts, of the models of Fig. 2's page that others trained,
    and of architectures with their first weights. Right: the verdicts of the experiments, page by page.

    `committed` as `scorecard.read_committed` gives it, from the folder `results`.
    """
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), width_ratios=(5, 6), layout="constrained")
        _depth(left, _measured(committed, results))
        _verdicts(right, {name: _counted(file) for name, file in committed.items()})
    return closed(figure)


def cone(committed: Mapping[str, dict], results: Path) -> Figure:
    """Within against between texts over depth, of models that were measured trained and with their first weights."""
    found: dict[str, dict[str, Condensation]] = {"pretrained": {}, "random": {}}
    for record in _records(committed, results, PARTS):
        config = record.content["config"]
        if config.get("weights") in found and config.get("controls"):
            found[config["weights"]][config["model"]] = Condensation.load(record.arrays)
    trained, first = found["pretrained"], found["random"]
    both = [name for name in trained if name in first and not name.startswith(OF_THIS_BOOK)]
    return figures.trained_and_untrained(*({name: results[name] for name in both} for results in (trained, first)))


def save(committed: Mapping[str, dict], results: Path, folder: Path) -> list[Path]:
    """Write both pictures into a folder, with the hash of the verdicts that they show (`shown`) in the files."""
    paths = [folder / PICTURE, folder / CONE]
    for drawn, path in zip((draw, cone), paths, strict=True):
        drawn(committed, results).savefig(path, dpi=120, metadata={"Description": shown(committed)})
    return paths


def shown(committed: Mapping[str, dict]) -> str:
    """Which verdicts and records a picture shows, as a hash."""
    return sha256(json.dumps(committed, sort_keys=True))


def _measured(committed: Mapping[str, dict], results: Path) -> list[tuple[str, bool, Condensation]]:
    """Label, whether trained, and measurement; of several records of a model the last."""
    found = {}
    for record in _records(committed, results, FAMILIES):
        model, weights = (record.content["config"].get(key) for key in ("model", "weights"))
        if weights and not model.startswith(OF_THIS_BOOK):
            found[model, weights == "pretrained"] = Condensation.load(record.arrays)
    order = sorted(found, key=lambda key: (not key[1], key[0].split("-")[0], len(found[key].mu)))
    return [(model, trained, found[model, trained]) for model, trained in order]


def _records(committed: Mapping[str, dict], results: Path, page: str) -> Iterator[records.Record]:
    names = next((file["records"] for name, file in committed.items() if notebook_id(name) == page), [])
    return filter(None, (records.read(results / name) for name in names))


def _depth(axis, measured: Sequence[tuple[str, bool, Condensation]]) -> None:
    for trained, palette in ((True, "OrRd"), (False, "Blues")):
        chosen = [(model, result) for model, here, result in measured if here == trained]
        for (model, result), colour in zip(chosen, colours(len(chosen) + 1, palette)[1:], strict=True):
            label = model if trained else f"{model}, first weights"
            axis.plot(result.layer_fraction, result.mu, "-" if trained else "--", color=colour, label=label)
            axis.fill_between(result.layer_fraction, *result.mu_interval, color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel="layer fraction", ylabel="mean cosine μ of the tokens of a text", ylim=(0, 1))
    axis.set_title("The embeddings of a text crowd together with depth", loc="left")
    if measured:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(-0.05, -0.13), ncols=2)


def _counted(file: dict) -> Counter:
    return Counter(claim["verdict"] for claim in counted([file], EXPERIMENT))


def _verdicts(axis, pages: Mapping[str, Counter]) -> None:
    pages = {name: counts for name, counts in pages.items() if counts}
    names = [name.split("_", 1)[1].replace("_", " ") for name in pages]
    start = [0] * len(pages)
    for verdict in BADGES:
        counts = [found[verdict] for found in pages.values()]
        axis.barh(names, counts, left=start, color=COLOURS[verdict], label=f"{verdict} ({sum(counts)})")
        start = [a + b for a, b in zip(start, counts, strict=True)]
    axis.invert_yaxis()
    axis.tick_params(axis="y", labelsize=7, length=0)
    axis.set(xlabel="claims of the paper")
    axis.set_title("What came of the paper's claims", loc="left")
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(-0.05, -0.13), ncols=2)
