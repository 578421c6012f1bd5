"""Table 3: the dispersion loss on the early or on the late half of the layers."""

from collections.abc import Sequence

from .. import paper
from ..paper.claims import Claim, judged
from ..paper.verdicts import effect
from ..runs import grid, tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run

OTHERS = ["early_half", "all layers", "default"]
TOLERANCE = grid.CHECK_MU  # of late-half mu: what a check run may differ by on another processor


def changes(weight: float) -> dict[str, dict]:
    """What each run changes, by its label: default training, and dispersion on all layers or on a half of them."""
    dispersion = CONDITIONS["dispersion"] | {"weight": weight}
    halves = {half: dispersion | {"layers": half} for half in ("early_half", "late_half")}
    return {"default": CONDITIONS["train"], "all layers": dispersion} | halves


def published() -> dict[str, float]:
    """The printed average with the loss on each half: `late`, `early`."""
    table = paper.table("table3_layers").query("benchmark == 'average'").set_index("dispersion_layers")["mean"]
    return {"late": float(table["second_half"]), "early": float(table["first_half"])}


def claims(runs: Sequence[Run]) -> list[Claim]:
    """The late half is better than the early half, on the benchmarks and on the geometry."""
    printed = published()
    gain = tables.paired_items(runs, "late_half", "early_half")
    late = tables.paired(runs, "late_half", "early_half", Run.late_half)
    return judged([
        Claim(
            claim="late half better than early half on average",
            source="Table 3",
            published="; ".join(f"{half} {average:.2f}" for half, average in printed.items()),
            here=tables.text(gain, 2),
            verdict=[effect(gain, printed["late"] - printed["early"], "the published gap, in points")],
        ),
        Claim(
            claim="the loss on the late half lowers late-half μ more than on the early half",
            here=tables.text(late),
            verdict=[effect(late, -TOLERANCE, "the tolerance of a check run")],
        ),
    ])  # fmt: skip
