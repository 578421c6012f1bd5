"""What is claimed of the losses of Table 1 and drawn in Fig. 6, judged by their gradients."""

import pandas as pd

from ...paper.claims import Claim
from ...paper.verdicts import all_above, all_below


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
