"""What is claimed of the losses of Table 1 and drawn in Fig. 6, judged by their gradients."""

import numpy as np
import pandas as pd

from ...paper.claims import BOOK, IN_PRINT, OWN, Claim, judged
from ...paper.verdicts import exact

FLAT = 1e-12  # a force below it is rounding
ONE_TEXT = "one text: no interval"


def claims(angles: pd.DataFrame, flows: pd.DataFrame, layers: pd.DataFrame) -> list[Claim]:
    """One or two claims on each picture of Fig. 6, which follow from the formulas; two on a real layer.

    angles
        `forces.by_angle` of dispersion and orthogonalization, at least.
    flows
        `what_becomes` of decorrelation and l2_repel, at least.
    layers
        `Probed.table`: dispersion, decorrelation and l2_repel, at least, at each entry.
    """
    return judged([*_pairs(angles), *_clouds(flows), _norms(layers), _decorrelation(layers)])


def _pairs(angles: pd.DataFrame) -> list[Claim]:
    apart, short = angles["dispersion"], angles["orthogonalization"]
    acute, obtuse = short[angles.index < 90], short[angles.index > 90].abs()
    here = "force {:.2g} to {:.2g}".format
    return [
        _drawn("dispersion pushes every pair apart, at every angle", "Fig. 6a", here(apart.min(), apart.max()),
               "force above 0", (apart > 0).to_numpy(), "angles"),
        _drawn("orthogonalization pushes acute pairs apart", "Fig. 6d", here(acute.min(), acute.max()),
               "force above 0", (acute > 0).to_numpy(), "angles"),
        _drawn("orthogonalization leaves obtuse pairs alone", "Fig. 6d", f"largest force {obtuse.max():.1g}",
               "force 0", (obtuse <= FLAT).to_numpy(), "angles"),
    ]  # fmt: skip


def _clouds(flows: pd.DataFrame) -> list[Claim]:
    fall = lambda loss, column: (flows.loc["before", column], flows.loc[loss, column])
    elongation, cosine = fall("decorrelation", "elongation"), fall("l2_repel", "mean cosine")
    return [
        _drawn("decorrelation rounds the cloud", "Fig. 6b", "elongation {:.2f} → {:.2f}".format(*elongation),
               "falls", [elongation[1] < elongation[0]], "clouds"),
        _drawn("ℓ2-repel pushes pairs apart", "Fig. 6c", "mean cosine {:.2f} → {:.2f}".format(*cosine),
               "falls", [cosine[1] < cosine[0]], "clouds"),
    ]  # fmt: skip


def _drawn(claim: str, source: str, here: str, rule: str, holds: np.ndarray | list, what: str) -> Claim:
    verdict = exact(int(np.sum(holds)), len(holds), what)
    return Claim(
        claim=claim, kind=IN_PRINT, source=source, published="drawn", here=here, rule=rule, verdict=verdict
    )  # fmt: skip


def _norms(layers: pd.DataFrame) -> Claim:
    change = layers["change of norm in %"].xs("l2_repel", level="loss")
    return Claim(
        claim="ℓ2-repel reduces norms on a real layer",
        kind=OWN,
        source="Fig. 6c",
        published="drawn",
        here="; ".join(f"entry {entry}: {value:+.2f} %" for entry, value in change.items()),
        rule="falls in one step, at every entry; one text",
        verdict=exact((change < 0).sum(), len(change), "entries"),
        power=ONE_TEXT,
    )


def _decorrelation(layers: pd.DataFrame) -> Claim:
    change = layers["change of mu"].unstack("loss")
    pairs = change[["decorrelation", "dispersion"]].itertuples()
    return Claim(
        claim="decorrelation (over features) lowers the mean cosine of a real layer, and less than dispersion does",
        source=BOOK,
        here="; ".join(f"entry {row.Index}: {row.decorrelation:+.3f} against {row.dispersion:+.3f}" for row in pairs),
        rule="below 0 and above that of dispersion, in one step of the same length, at every entry; one text",
        verdict=exact(change.decorrelation.between(change.dispersion, 0, "neither").sum(), len(change), "entries"),
        power=ONE_TEXT,
    )
