"""What is compared after the last step, and how: over seeds, or over seeds and items."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...runs import tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, detectable

CONDITIONS = ("train", "dispersion")  # of Table 5
ACCURACY, LIKELIHOOD, LOSS, LATE = "acc (%)", "log-prob.", "validation loss", "late-half μ"
OF_ITEMS = {ACCURACY: "score", LIKELIHOOD: "logprob"}  # quantities whose uncertainty is over seeds and items


def average(column: str) -> Quantity:
    """Mean over the tasks of the mean over a task's items of one column of the items; a share becomes per cent."""
    scale = 100 if column == "score" else 1
    return lambda run: float(scale * run.evaluation.items.groupby("task")[column].mean().mean())


QUANTITIES: dict[str, Quantity] = {  # after the last step
    LATE: Run.late_half,
    "ρ": lambda run: run.look().rho,
    "τ": lambda run: run.look().tau,
    LOSS: lambda run: run.validation_loss,
    ACCURACY: average("score"),
    LIKELIHOOD: average("logprob"),
}


def difference(runs: Sequence[Run], label: str, quantity: str, baseline: str = "train") -> Estimate:
    """One condition minus the baseline: over seeds and items for `OF_ITEMS`, over seeds for the other `QUANTITIES`."""
    if quantity in OF_ITEMS:
        return tables.paired_items(runs, label, baseline, OF_ITEMS[quantity])
    return tables.paired(runs, label, baseline, QUANTITIES[quantity])


def comparisons(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """`difference` of each condition and `train`, for each model and quantity of `QUANTITIES`.

    Columns: difference; `low`, `high`, its 95 % interval; `p`; `detectable`, the true difference that such a sample
    would have found with a chance of 80 %. Index: model, condition, quantity. Of p-values, those of the claims are
    corrected together, by the rules of the verdicts; the others tell nothing by themselves.
    """
    rows = []
    for name, trained in runs.items():
        for quantity in QUANTITIES:
            for label in (label for label in tables.first(trained) if label != "train"):
                found = difference(trained, label, quantity)
                rows.append((name, label, quantity, found.value, *found.interval, found.p, detectable(found)))
    names = ["model", "condition", "quantity"]
    columns = ["difference", "low", "high", "p", "detectable"]
    return pd.DataFrame(rows, columns=[*names, *columns]).set_index(names)


def in_words(runs: Mapping[str, Sequence[Run]], quantity: str) -> str:
    """Dispersion minus default training, a model each: `GPT-2 -0.013 [-0.014, -0.012]; Qwen3 ...`."""
    return "; ".join(
        f"{name} {tables.text(difference(trained, 'dispersion', quantity), 3)}" for name, trained in runs.items()
    )
