"""Fig. 7: what dispersion does to the geometry during mid-training, and whether more of it does more.

Runs are labelled by the weight of the dispersion loss; `NO_DOSE` is default training.
"""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..paper import SPREAD, size_effect
from ..paper.claims import Claim, check_claim, judged
from ..paper.verdicts import effect, no_change
from ..plots import STYLE, WIDTH, closed, colours, legend_below
from ..runs import MidTraining, grid, tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run
from ..runs.tables import Quantity
from ..stats import Estimate, detectable_with, mean_and_interval

NO_DOSE = "0"
UNCHANGED = 0.1  # of what size does to late-half mu: so little is no change
TOLERANCE = grid.CHECK_MU  # for this book's own questions: what a check run may differ by on another processor


def changes(weights: Sequence[float]) -> dict[str, dict]:
    """What each run changes, by its label: default training, and dispersion at each weight."""
    return {NO_DOSE: CONDITIONS["train"]} | {f"{w:g}": CONDITIONS["dispersion"] | {"weight": w} for w in weights}


def longer(shared: MidTraining, weight: float, steps: int = 0, seeds: Sequence[int] = ()) -> list[Run]:
    """Default training and one weight over more steps and seeds: the design "midtraining". None without steps."""
    return grid.runs(shared.changed(steps=steps), changes([weight]), seeds) if steps else []


def by_dose(runs: Sequence[Run], quantity: Quantity) -> dict[str, Estimate]:
    """Each dose minus no dose, seed by seed."""
    doses = [label for label in tables.first(runs) if label != NO_DOSE]
    return {label: tables.paired(runs, label, NO_DOSE, quantity) for label in doses}


def loss_by_dose(runs: Sequence[Run]) -> dict[str, Estimate]:
    """As `by_dose`: the validation loss, in per cent of the mean without a dose."""
    without = tables.by_seed(runs, lambda run: run.validation_loss).loc[NO_DOSE].mean()
    return by_dose(runs, lambda run: 100 * run.validation_loss / without)


def differences(runs: Sequence[Run]) -> pd.DataFrame:
    """Late-half mu with its interval over seeds, and validation loss in per cent, against no dose: a row a weight."""
    late, loss = by_dose(runs, Run.late_half), loss_by_dose(runs)
    rows = {f"weight {dose}": [late[dose].value, *late[dose].interval, loss[dose].value] for dose in late}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["late-half μ", "low", "high", "validation loss, %"])


def power(figure: int, doses: int) -> pd.DataFrame:
    """The largest spread from seed to seed at which so many of them find the smallest effect, a row a question.

    By one test at 5 %, with a chance of 80 %.

    figure, doses
        Seeds of the runs that decide on the figure, and of the dose series.
    """
    half = SPREAD * size_effect()
    questions = {"Fig. 7b: half of GPT2-xl minus GPT2": (figure, half), "each step of the dose": (doses, -TOLERANCE)}
    rows = {name: [n, smallest, abs(smallest) / detectable_with(1.0, n)] for name, (n, smallest) in questions.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["seeds", "smallest effect", "spread allowed"])
    return table.astype({"seeds": int})


def start_to_end(runs: Sequence[Run], label: str) -> Estimate:
    """Late-half mu after the last step minus that before the first, of one label, over its seeds."""
    return mean_and_interval([run.late_half(-1) - run.late_half(0) for run in runs if run.label == label])


def rising(runs: Sequence[Run]) -> list[Estimate]:
    """Late-half mu of each dose minus that of the dose below, the lowest against none; seed by seed."""
    return [tables.paired(runs, more, less, Run.late_half) for less, more in pairwise(tables.first(runs))]


def claims(runs: Sequence[Run], check: pd.DataFrame, longest: Sequence[Run] = ()) -> list[Claim]:
    """Default training leaves the last layers, dispersion spreads them, more does more, at which cost; the check run.

    What dispersion does is taken against default training, seed by seed: what both do to the model cancels.

    check
        The table of `grid.check_run`.
    longest
        `longer` runs: where there are some, the figure's two claims are decided by them.
    """
    best, size = longest or runs, size_effect()
    unchanged, late, loss = start_to_end(best, NO_DOSE), by_dose(runs, Run.late_half), loss_by_dose(runs)
    first, at_one = next(iter(late)), min(loss, key=lambda dose: abs(float(dose) - 1))
    spread = by_dose(best, Run.late_half)[first]
    along = f"the run itself, from its start to its end: {tables.text(start_to_end(best, first))}"
    doses = "; ".join(f"weight {dose}: {tables.text(found)}" for dose, found in late.items())
    return judged([
        Claim(
            claim="default loss: the last layers stay as they are",
            source="Fig. 7a",
            published="drawn",
            here=tables.text(unchanged),
            verdict=[no_change(unchanged, UNCHANGED * size, "a tenth of GPT2-xl minus GPT2, Fig. 2a")],
        ),
        Claim(
            claim=f"dispersion (weight {first}): the last layers spread",
            source="Fig. 7b",
            published="drawn",
            here=f"against default training {tables.text(spread)}; {along}",
            rule="late-half μ",
            verdict=[effect(spread, SPREAD * size, "half of GPT2-xl minus GPT2, Fig. 2a")],
        ),
        Claim(
            claim="the more dispersion, the lower late-half μ: each weight against the one below",
            here=f"against none: {doses}",
            verdict=[effect(found, -TOLERANCE, "the tolerance of a check run") for found in rising(runs)],
        ),
        Claim(
            claim=f"validation loss at weight {at_one} is within 1 % of the default",
            here=tables.text(loss[at_one], 2) + " %",
            verdict=[no_change(loss[at_one], 1.0, "in per cent of the loss without a dose")],
        ),
        check_claim(check),
    ])  # fmt: skip


# --- figure -----------------------------------------------------------------------------------------------------------


def change_map(runs: Sequence[Run], weight: str) -> pd.DataFrame:
    """Mu with dispersion at a weight minus mu of the default, mean over the seeds: a row per checkpoint, by entry."""
    mu = {label: np.mean([run.mu for run in runs if run.label == label], 0) for label in (weight, NO_DOSE)}
    steps = tables.first(runs)[weight].path["step"]
    return pd.DataFrame(mu[weight] - mu[NO_DOSE], index=steps)


def difference_map(runs: Sequence[Run], weight: str) -> Figure:
    """Left `change_map`; right the density of the cosines at the last entry after the last step, for every weight.

    The histograms are those of the first seed, drawn as lines; dotted: before training.
    """
    change = change_map(runs, weight)
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2), layout="constrained")
        limit = float(change.abs().to_numpy().max()) or 1.0
        how = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "aspect": "auto", "interpolation": "nearest"}
        image = left.imshow(change.to_numpy(), origin="lower", **how)
        left.set_yticks(range(len(change)), change.index)
        left.set(
            xlabel="entry of the residual stream", ylabel="step of training", title=f"weight {weight} minus default"
        )
        figure.colorbar(image, ax=left, label="change of μ", location="bottom", aspect=30)
        _last_layer(right, tables.first(runs))
        right.set(xlabel="cosine of two tokens, last entry", ylabel="density", title="last entry, after the last step")
        legend_below(figure)
    return closed(figure)


def _last_layer(axis: Axes, first: dict[str, Run]) -> None:
    start = first[NO_DOSE].look(0).histogram[-1]
    edges = np.linspace(-1, 1, len(start) + 1)
    axis.stairs(start, edges, color="0.2", linestyle=":", label="before training")
    for (label, run), colour in zip(first.items(), colours(len(first), "colorblind"), strict=True):
        name = "default loss" if label == NO_DOSE else f"dispersion, weight {label}"
        axis.stairs(run.look().histogram[-1], edges, color=colour, linewidth=1.2, label=name)
    axis.set(xlim=(-1, 1), ylim=(0, None))
