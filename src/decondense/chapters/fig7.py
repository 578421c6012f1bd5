"""Fig. 7: what dispersion does to the geometry during mid-training, and whether more of it does more.

Runs are labelled by the weight of the dispersion loss; `NO_DOSE` is default training.
"""

from collections.abc import Sequence

import pandas as pd

from ..paper.claims import Claim, check_claim
from ..paper.verdicts import falls_with_dose, is_zero
from ..runs import tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run
from ..runs.tables import Quantity
from ..stats import Mean, mean_and_interval

NO_DOSE = "0"


def changes(weights: Sequence[float]) -> dict[str, dict]:
    """What each run changes, by its label: default training, and dispersion at each weight."""
    return {NO_DOSE: CONDITIONS["train"]} | {f"{w:g}": CONDITIONS["dispersion"] | {"weight": w} for w in weights}


def by_dose(runs: Sequence[Run], quantity: Quantity) -> dict[str, Mean]:
    """Each dose minus no dose, seed by seed."""
    doses = [label for label in tables.first(runs) if label != NO_DOSE]
    return {label: tables.paired(runs, label, NO_DOSE, quantity) for label in doses}


def loss_by_dose(runs: Sequence[Run]) -> dict[str, Mean]:
    """As `by_dose`: the validation loss, in per cent of the mean without a dose."""
    without = tables.by_seed(runs, lambda run: run.validation_loss).loc[NO_DOSE].mean()
    return by_dose(runs, lambda run: 100 * run.validation_loss / without)


def differences(runs: Sequence[Run]) -> pd.DataFrame:
    """Late-half mu with its interval over seeds, and validation loss in per cent, against no dose: a row a weight."""
    late, loss = by_dose(runs, Run.late_half), loss_by_dose(runs)
    rows = {f"weight {dose}": [late[dose].mean, *late[dose].interval, loss[dose].mean] for dose in late}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["late-half μ", "low", "high", "validation loss, %"])


def claims(runs: Sequence[Run], check: pd.DataFrame) -> list[Claim]:
    """Default training leaves the last layers, dispersion spreads them, more does more, at which cost; the check run.

    check
        The table of `grid.check_run`.
    """
    unchanged = mean_and_interval([run.late_half(-1) - run.late_half(0) for run in runs if run.label == NO_DOSE])
    late, loss = by_dose(runs, Run.late_half), loss_by_dose(runs)
    first, at_one = next(iter(late)), min(loss, key=lambda dose: abs(float(dose) - 1))
    return [
        Claim(
            claim="default loss: the last layers stay as they are",
            source="Fig. 7a",
            published="drawn",
            here=tables.text(unchanged),
            rule="late-half μ within 0.02",
            verdict=is_zero(unchanged.mean, unchanged.interval, 0.02),
        ),
        Claim(
            claim=f"dispersion (weight {first}): the last layers spread",
            source="Fig. 7b",
            published="drawn",
            here=tables.text(late[first]),
            rule="interval over seeds below 0",
            verdict=falls_with_dose([late[first].interval]),
        ),
        Claim(
            claim="the more dispersion, the lower late-half μ",
            here="; ".join(f"weight {dose}: {tables.text(found)}" for dose, found in late.items()),
            rule="interval below 0 for each weight",
            verdict=falls_with_dose([found.interval for found in late.values()]),
        ),
        Claim(
            claim=f"validation loss at weight {at_one} is within 1 % of the default",
            here=tables.text(loss[at_one], 2) + " %",
            rule="1 %",
            verdict=is_zero(loss[at_one].mean, loss[at_one].interval, 1.0),
        ),
        check_claim(check),
    ]
