"""Students of one teacher beside those that saw the text alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from ... import metrics
from ...condensation import Condensation
from ...runs import tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate
from ...trainers import distillation

BASELINE = "cross-entropy"  # students that learn from the text alone
ASKED = (BASELINE, "logits")  # those of the design; the others are looked at in the pilot


def kinds(teacher: str, share: float, temperature: float, weight: float) -> dict[str, dict]:
    """What each kind of student changes in its run, by label; `share` is that of the term with the teacher.

    Those of the text alone log their divergence from the teacher, with a share of 0. `weight` is that of dispersion.
    """
    logits = {"teacher": teacher, "kind": "logits", "share": share, "temperature": temperature}
    return {
        BASELINE: {"distillation": logits | {"share": 0.0}},
        "logits": {"distillation": logits},
        "logits + dispersion": {"distillation": logits, "loss": "dispersion", "weight": weight},
        "hidden states": {"distillation": logits | {"kind": "hidden", "temperature": None}},
    }


def profile_distance(student: Float[np.ndarray, "entries"], teacher: Float[np.ndarray, "others"]) -> float:
    """Mean over the student's entries 1..L of |mu of the student - mu of the teacher's matched entry|, in [0, 1].

    Matched as `distillation.matched_entries` says.
    """
    matched = distillation.matched_entries(len(student) - 1, len(teacher) - 1)
    return float(np.mean([abs(student[ours] - teacher[theirs]) for ours, theirs in matched.items()]))


def quantities(teacher: Condensation) -> dict[str, Quantity]:
    """What is compared between students, after the last step; `to the teacher` is `profile_distance`."""
    return {
        "ρ": lambda run: run.look().rho,
        "τ": lambda run: run.look().tau,
        "late-half μ": Run.late_half,
        "to the teacher": lambda run: profile_distance(run.mu[-1], teacher.mu),
        "validation loss": lambda run: run.validation_loss,
    }


def compared(runs: Sequence[Run], teacher: Condensation) -> dict[str, dict[str, Estimate]]:
    """Each kind of student minus `BASELINE`, seed by seed: {label: {quantity: difference}}."""
    labels = [label for label in tables.first(runs) if label != BASELINE]
    wanted = quantities(teacher).items()
    return {label: {name: tables.paired(runs, label, BASELINE, value) for name, value in wanted} for label in labels}


def in_words(found: Mapping[str, Mapping[str, Estimate]], teacher: Condensation) -> pd.DataFrame:
    """`compared` as text, a row per label; in the last row the teacher's own rho, tau and late-half mu."""
    rows = {label: {name: tables.text(d, 3) for name, d in row.items()} for label, row in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    own = {"ρ": teacher.rho, "τ": teacher.tau, "late-half μ": metrics.mean_of_last(teacher.mu, None)}
    table.loc["teacher itself"] = pd.Series({name: f"{value:.3f}" for name, value in own.items()})
    return table.fillna("")
