"""Table 2: benchmarks after mid-training in eight conditions, compared item by item.

Runs are kept by the base model of the paper whose rows stand beside them; in a small profile they are of another model.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .. import paper, records
from ..base import timing
from ..base.timing import Ratio
from ..paper.accuracies import MID_TRAINED
from ..paper.claims import Claim, judged, signed
from ..paper.verdicts import Test, Verdict, effect, not_testable
from ..runs import MidTraining, grid, tables
from ..runs.midtraining import CONDITIONS
from ..runs.run import Run

OTHERS = [name for name in CONDITIONS if name != "dispersion"]
UNTRAINED, DEFAULT = "none", "train"
ARMS = (UNTRAINED, DEFAULT, "dispersion")  # of the longer runs
NATS = 0.01  # smallest change of the log-probability that counts, as a share of what it is before training
STEP = "bench-step"  # the record of what the loss costs in a step (`bench.losses.in_a_step`), and its cases
PLAIN, PAPERS_FORM, ALONE = "plain", "256 tokens", "256 tokens, alone"


def published(model: str) -> pd.DataFrame:
    """Table 2 of one base model as printed: conditions by benchmark, `average` and `rank`."""
    table = paper.table("table2_midtraining").query("model == @model")
    return table.pivot(index="condition", columns="benchmark", values="mean").loc[list(CONDITIONS)]


def published_gaps(model: str) -> pd.Series:
    """The printed average of dispersion minus that of each other condition."""
    average = published(model).average
    return average["dispersion"] - average[OTHERS]


def published_hours() -> pd.DataFrame:
    """The printed A100-hours of one run: base models by condition."""
    table = paper.table("table2_midtraining").dropna(subset="a100_hours")
    hours = table.groupby(["model", "condition"])["a100_hours"].first().unstack()
    return hours.loc[list(MID_TRAINED), [name for name in CONDITIONS if name != UNTRAINED]]


def published_overhead() -> pd.DataFrame:
    """What a run takes more than default training in those hours, in per cent: base models by condition."""
    hours = published_hours()
    return 100 * hours.drop(columns=DEFAULT).div(hours[DEFAULT], axis=0) - 100


def measured_overhead() -> tuple[Ratio, Ratio]:
    """The time that dispersion on 256 tokens takes in a training step, over that of the plain step, on this book's CPU.

    (The step with the loss, the loss with its gradient alone), each over the plain step: median over the rounds of the
    newest record that the repository keeps, with the smallest and the largest.

    Raises
        ValueError: the repository keeps no such record.
    """
    kept = [records.read(path).content for path in records.committed_folder().glob(f"{STEP}-*.json")]
    if not kept:
        raise ValueError(f"No record {STEP}-*.json is kept in book/results: make it with `nox -s bench`.")
    seconds = timing.seconds(max(kept, key=lambda one: one["provenance"]["utc"])["results"]["rows"])
    return timing.ratio(seconds[PAPERS_FORM], seconds[PLAIN]), timing.ratio(seconds[ALONE], seconds[PLAIN])


def longer(shared: MidTraining, steps: int = 0, seeds: Sequence[int] = ()) -> list[Run]:
    """Default training and dispersion over more steps and seeds: the design "midtraining". None without steps."""
    return grid.runs(shared.changed(steps=steps), {name: CONDITIONS[name] for name in ARMS}, seeds) if steps else []


def finer(runs: Sequence[Run]) -> pd.DataFrame:
    """Log-probability of the right answer minus that of `train`, in nats an item: difference, low, high by condition.

    Mean over the tasks, with the 95 % interval over seeds and items (`tables.paired_items`).
    """
    others = [name for name in tables.first(runs) if name != DEFAULT]
    found = {name: tables.paired_items(runs, name, DEFAULT, "logprob") for name in others}
    rows = {name: [one.value, *one.interval] for name, one in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])


# --- paper against here -----------------------------------------------------------------------------------------------


def claims(runs: Mapping[str, Sequence[Run]], longest: Mapping[str, Sequence[Run]] | None = None) -> list[Claim]:
    """Dispersion is better than default training and than the rest, for each base model; what it does to log-p; time.

    runs
        By the base model of the paper (`accuracies.MID_TRAINED`) whose rows are beside; those that are missing were not
        run.
    longest
        `longer` runs by base model: where there are some, they decide on dispersion and default training.
    """
    best = dict(runs) | {model: more for model, more in (longest or {}).items() if more}
    found = [claim for model in MID_TRAINED for claim in on_accuracy(model, runs.get(model, ()), best.get(model, ()))]
    return judged([*found, *map(on_log_probability, best.values()), on_time()])


def on_accuracy(model: str, runs: Sequence[Run], best: Sequence[Run] = ()) -> list[Claim]:
    """Two claims on one base model: against default training, in the `best` runs or else in these; against the rest."""
    gaps, rest = published_gaps(model), [name for name in OTHERS if name != DEFAULT]
    against_default = f"{model}: dispersion is better than default training"
    against_rest = f"{model}: dispersion is better than each of the six other conditions"
    asked = [(against_default, best or runs, [DEFAULT]), (against_rest, runs, rest)]
    return [
        Claim(
            claim=claim,
            source="Table 2",
            published=signed(gaps[others]),
            here=_gains(trained, others) if trained else "not run",
            verdict=[_above(trained, name, gaps[name]) for name in others] if trained else _not_run(model),
        )
        for claim, trained, others in asked
    ]


def _gains(runs: Sequence[Run], others: Sequence[str]) -> str:
    found = (f"{name} {tables.text(tables.paired_items(runs, 'dispersion', name), 2)}" for name in others)
    return f"{trained_model(runs)}, {_steps(runs)}: {'; '.join(found)}"


def _steps(runs: Sequence[Run]) -> str:
    return f"{tables.first(runs)['dispersion'].config['steps']} steps"


def _above(runs: Sequence[Run], other: str, gap: float) -> Test:
    return effect(tables.paired_items(runs, "dispersion", other), gap, f"the published gap to {other}")


def trained_model(runs: Sequence[Run]) -> str:
    """The model that was trained here."""
    return runs[0].config["model"]


def _not_run(model: str) -> Verdict:
    hours = 3 * published_hours().loc[model].sum()
    return not_testable(f"{model} is not run in this profile: the paper's {hours:.0f} A100-hours for it")


def on_log_probability(runs: Sequence[Run]) -> Claim:
    """Dispersion makes the right answers likelier than default training does: a finer measure than accuracy."""
    before = np.mean([task.mean() for task in tables.scores(runs, UNTRAINED, "logprob")])
    gain = tables.paired_items(runs, "dispersion", DEFAULT, "logprob")
    return Claim(
        claim=f"{trained_model(runs)}: dispersion makes the right answers likelier than default training",
        here=f"{_steps(runs)}: {tables.text(gain)} nats an item",
        verdict=[effect(gain, NATS * abs(before), f"{NATS:.0%} of the log-probability before training, in nats")],
    )


def on_time() -> Claim:
    """What a loss takes of the training time, printed, and in the step of this book that comes nearest."""
    printed = published_overhead()
    least, most = printed.drop(columns="dispersion").min().min(), printed.drop(columns="dispersion").max().max()
    step, alone = (Ratio(*(100 * x for x in one)) for one in measured_overhead())
    return Claim(
        claim="a loss on the residual stream adds a few per cent to the time of training",
        source="Table 2",
        published=f"dispersion, %: {signed(printed.dispersion)}; other conditions {least:+.1f} to {most:+.1f} %",
        here=f"a step of GPT-2 small with dispersion on 256 of 1,024 tokens: {step.median - 100:+.1f} % "
        f"({step.low - 100:+.1f} to {step.high - 100:+.1f} over the rounds); the loss alone {alone.median:.1f} %",
        verdict=not_testable("the printed hours are of one A100; here is a CPU, where a step itself takes far longer"),
    )
