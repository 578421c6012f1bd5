"""Table 3: the dispersion loss on the early or on the late half of the layers."""

from collections.abc import Sequence

import pandas as pd

from .. import paper
from ..paper.claims import Claim
from ..paper.verdicts import falls_with_dose, is_positive
from ..runs import tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run
from ..stats import Interval

OTHERS = ["early_half", "all layers", "default"]


def changes(weight: float) -> dict[str, dict]:
    """What each run changes, by its label: default training, and dispersion on all layers or on a half of them."""
    dispersion = CONDITIONS["dispersion"] | {"weight": weight}
    halves = {half: dispersion | {"layers": half} for half in ("early_half", "late_half")}
    return {"default": CONDITIONS["train"], "all layers": dispersion} | halves


def claims(runs: Sequence[Run], against: pd.DataFrame) -> list[Claim]:
    """The late half is better than the early half, on the benchmarks and on the geometry.

    against
        `tables.against` of `late_half` and `OTHERS`.
    """
    table = paper.table("table3_layers").query("benchmark == 'average'")
    printed = table.groupby("dispersion_layers")["mean"].first()
    gain, late = against.loc["early_half"], tables.paired(runs, "late_half", "early_half", Run.late_half)
    return [
        Claim(
            claim="late half better than early half on average",
            source="Table 3",
            published=f"late {printed['second_half']:.2f}, early {printed['first_half']:.2f}",
            here=f"{gain.difference:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]",
            rule="interval above 0",
            verdict=is_positive(Interval(gain.low, gain.high)),
        ),
        Claim(
            claim="the loss on the late half lowers late-half μ more than on the early half",
            here=tables.text(late),
            rule="interval over seeds below 0",
            verdict=falls_with_dose([late.interval]),
        ),
    ]
