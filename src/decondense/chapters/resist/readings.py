"""What the runs of the page say: rates, each design against the reference, and what the loss does in each."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...models.variants import designs
from ...models.variants.designs import REFERENCE
from ...runs import geometry, tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, mean_and_interval
from . import initial, training

PLAIN, UNTRAINED = "plain", "untrained"
LATE, LOSS = "late-half μ", "validation loss (nats a token)"
PARTS = ("within", "between")
LIKE_EXPERTS = "QK-norm"  # OLMoE normalises queries and keys, too, over all heads together
Found = Mapping[str, Sequence[Run]]  # by design; a run's label is PLAIN or the name of the loss


def tried(
    names: Sequence[str], shape: Mapping, data: Mapping, how: Mapping, tuning: Mapping, sources: Sequence[str] = ()
) -> dict[str, list[Run]]:
    """Plain runs of each design at each rate, with a seed of their own.

    tuning
        `rates`, `steps`, `seed`, `texts`.
    """
    told = dict(how) | {name: tuning[name] for name in ("steps", "texts")}
    run = lambda name, rate: training.run(
        name, shape, data, told | {"learning_rate": rate}, tuning["seed"], sources=sources
    )
    return {name: [Run(name, tuning["seed"], run(name, rate)) for rate in tuning["rates"]] for name in names}


def rates(tried: Found) -> dict[str, float]:
    """The rate at which the run of a design ended with the lowest validation loss."""
    return {name: min(runs, key=validation_loss).config["learning_rate"] for name, runs in tried.items()}


def tuned(tried: Found) -> pd.DataFrame:
    """Validation loss and late-half μ of these runs: a row per design, a column per rate, and the rate chosen."""
    rows = lambda runs, quantity: {run.config["learning_rate"]: QUANTITIES[quantity](run) for run in runs}
    of = lambda quantity: pd.DataFrame({name: rows(runs, quantity) for name, runs in tried.items()}).T
    chosen = pd.DataFrame({"rate": rates(tried)})
    return pd.concat({LOSS: of(LOSS), LATE: of(LATE), "chosen": chosen}, axis=1)


def at_the_edge(tried: Found) -> list[str]:
    """The designs whose rate is the lowest or the highest tried: a better one may lie beyond."""
    edges = {name: [run.config["learning_rate"] for run in runs] for name, runs in tried.items()}
    return [name for name, rate in rates(tried).items() if rate in (min(edges[name]), max(edges[name]))]


def runs(
    rates: Mapping[str, float], shape: Mapping, data: Mapping, how: Mapping, loss: Mapping,
    seeds: Mapping[str, Sequence[int]], sources: Sequence[str] = (),
) -> dict[str, list[Run]]:  # fmt: skip
    """Every design without and with the loss, both at the design's rate; seed by seed, so that the first are there
    first.

    loss
        `loss` and `weight`.
    seeds
        Those of PLAIN, and those of the loss by its name.
    """
    found: dict[str, list[Run]] = {name: [] for name in rates}
    for label, change in ((PLAIN, {}), (loss["loss"], dict(loss))):
        for seed in seeds[label]:
            for name, rate in rates.items():
                told = dict(how) | {"learning_rate": rate}
                record = training.run(name, shape, data, told, seed, sources=sources, **change)
                found[name].append(Run(label, seed, record))
    return found


def pilot(
    asked: Mapping, shape: Mapping, data: Mapping, how: Mapping, loss: Mapping, sources: Sequence[str] = ()
) -> list[Run]:
    """The runs that the design was made from: some designs plain, and the reference with the loss, all at one rate.

    asked
        `designs`, `learning_rate`, `seeds`.
    """
    told = dict(how) | {"learning_rate": asked["learning_rate"]}
    arms = [(name, name, {}) for name in asked["designs"]]
    arms += [(f"{REFERENCE}, {loss['loss']}", REFERENCE, dict(loss))]
    run = lambda name, seed, change: training.run(name, shape, data, told, seed, sources=sources, **change)
    return [Run(label, seed, run(name, seed, change)) for label, name, change in arms for seed in asked["seeds"]]


def references(
    rates: Mapping[str, float], shape: Mapping, data: Mapping, how: Mapping, seeds: Sequence[int],
    sources: Sequence[str] = (),
) -> dict[float, list[Run]]:  # fmt: skip
    """The reference, plain, at each rate that some design has: a control, since μ depends on the rate, too."""
    run = lambda rate, seed: training.run(
        REFERENCE, shape, data, dict(how) | {"learning_rate": rate}, seed, sources=sources
    )
    return {rate: [Run(PLAIN, seed, run(rate, seed)) for seed in seeds] for rate in sorted(set(rates.values()))}


def untrained(
    shape: Mapping, data: Mapping, how: Mapping, seeds: Sequence[int], sources: Sequence[str] = ()
) -> list[Run]:
    """The mixtures of experts before their first step."""
    return [Run(UNTRAINED, seed, initial.routed(shape, data, how, seed, sources)) for seed in seeds]


def mixtures(
    shape: Mapping, data: Mapping, how: Mapping, rate: float, seeds: Sequence[int], sources: Sequence[str] = ()
) -> list[Run]:
    """The mixtures of experts, plain."""
    told = dict(how) | {"learning_rate": rate}
    return [Run(PLAIN, seed, training.run(designs.EXPERTS, shape, data, told, seed, sources=sources)) for seed in seeds]


def rate_of_experts(rates: Mapping[str, float]) -> float:
    """The rate of the mixtures of experts: that of the design which is nearest to them.

    Raises
        ValueError: it is not among the designs.
    """
    if LIKE_EXPERTS not in rates:
        raise ValueError(f"The mixtures of experts take the rate of {LIKE_EXPERTS!r}: add it to DESIGNS.")
    return rates[LIKE_EXPERTS]


# --- of one run -----------------------------------------------------------------------------------------------------


def validation_loss(run: Run) -> float:
    """Nats a token after the last step."""
    return run.results["course"][-1]["validation_loss"]


QUANTITIES: dict[str, Quantity] = {
    LATE: geometry.late_half(), LOSS: validation_loss,
    **{f"{name}, late half": geometry.late_half(name) for name in PARTS},
}  # fmt: skip


def over_depth(found: Found, name: str, label: str) -> np.ndarray:
    """μ at every entry, mean over the seeds."""
    return np.mean([geometry.measured(run).mu for run in found[name] if run.label == label], axis=0)


# --- of several -----------------------------------------------------------------------------------------------------


def values(found: Found, label: str, quantity: str) -> pd.DataFrame:
    """A row per design, a column per seed."""
    chosen = [Run(name, run.seed, run.record) for name, runs in found.items() for run in runs if run.label == label]
    return tables.by_seed(chosen, QUANTITIES[quantity])


def against_reference(found: Found, quantity: str) -> dict[str, Estimate]:
    """Each design, plain, minus the reference, seed by seed."""
    table = values(found, PLAIN, quantity)
    return {
        name: mean_and_interval(table.loc[name] - table.loc[REFERENCE]) for name in table.index if name != REFERENCE
    }


def at_one_rate(found: Found, references: Mapping[float, Sequence[Run]], quantity: str) -> dict[str, Estimate]:
    """Each design, plain, minus the reference at the design's own rate, seed by seed."""
    apart = {}
    for name, runs in found.items():
        plain = [run for run in runs if run.label == PLAIN]
        both = {name: plain, REFERENCE: references[plain[0].config["learning_rate"]]}
        table = values(both, PLAIN, quantity)
        if name != REFERENCE:
            apart[name] = mean_and_interval((table.loc[name] - table.loc[REFERENCE]).dropna())
    return apart


def of_loss(found: Found, quantity: str) -> dict[str, Estimate]:
    """With the loss minus without, in each design, seed by seed."""
    labels = {run.label for run in next(iter(found.values()))} - {PLAIN}
    apart = values(found, labels.pop(), quantity) - values(found, PLAIN, quantity)
    return {name: mean_and_interval(row.dropna()) for name, row in apart.iterrows()}


def table(found: Found, references: Mapping[float, Sequence[Run]]) -> pd.DataFrame:
    """A row per design: μ of the late half, plain, minus the reference, and what the loss changes; the validation loss
    in the same way. `at its rate`: minus the reference at the rate of the design.
    """
    rows = {}
    for quantity in (LATE, LOSS):
        plain, apart, loss = (
            values(found, PLAIN, quantity).mean(axis=1), against_reference(found, quantity), of_loss(found, quantity)
        )  # fmt: skip
        rows |= {
            quantity: plain,
            f"{quantity}: minus {REFERENCE}": _texts(apart),
            f"{quantity}: minus {REFERENCE} at its rate": _texts(at_one_rate(found, references, quantity)),
            f"{quantity}: with the loss": _texts(loss),
        }
    return pd.DataFrame(rows).loc[list(found)]


def _texts(found: Mapping[str, Estimate]) -> pd.Series:
    return pd.Series({name: tables.text(one, 3) for name, one in found.items()}, dtype=object)


def parts(found: Found) -> pd.DataFrame:
    """μ of the late half, plain, and what of it lies within texts and between them: means over the seeds."""
    names = [LATE, *(f"{part}, late half" for part in PARTS)]
    return pd.DataFrame({name: values(found, PLAIN, name).mean(axis=1) for name in names})


def of_experts(runs: Sequence[Run]) -> pd.DataFrame:
    """Mean cosine of all tokens, of those of one expert, and the share of the busiest one: a row per block, before
    training and after it.
    """
    return pd.concat({label: _of_experts([run for run in runs if run.label == label]) for label in (UNTRAINED, PLAIN)},
                     axis=1)  # fmt: skip


def _of_experts(runs: Sequence[Run]) -> pd.DataFrame:
    each = [pd.DataFrame(run.results["experts"]) for run in runs]
    found = sum(each) / len(each)
    return found.rename(columns={"expert": "one expert's", "largest": "share of the busiest"}).rename_axis("block")


def more_alike(run: Run, first: int = 0) -> float:
    """The mean cosine of one expert's tokens minus that of all tokens, mean over the blocks from `first` on."""
    found = run.results["experts"]
    return float(np.mean(np.subtract(found["expert"], found["all"])[first:]))


def experts_apart(runs: Sequence[Run], first: int = 0) -> Estimate:
    """`more_alike` over the seeds."""
    return mean_and_interval([more_alike(run, first) for run in runs])


def by_training(mixtures: Sequence[Run], untrained: Sequence[Run], first: int = 0) -> Estimate:
    """`more_alike` after training minus before, seed by seed: a router cuts by direction before it has learnt."""
    before = {run.seed: more_alike(run, first) for run in untrained}
    return mean_and_interval([more_alike(run, first) - before[run.seed] for run in mixtures])


def rows_apart(predicted: Mapping[str, Sequence[float]], measured: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """The recursion beside the untrained models: the last entry of each, and the largest difference with its place."""
    rows = {}
    for name, mu in measured.items():
        apart = np.abs(np.subtract(predicted[name], mu))
        rows[name] = {
            "predicted": predicted[name][-1], "measured": mu[-1], "largest difference": apart.max(),
            "at entry": int(apart.argmax()),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").astype({"at entry": int})


def shown(found: Found, lowest: int = 3, highest: int = 2) -> list[str]:
    """The reference, and the designs with the lowest and the highest plain μ of the late half."""
    order = list(values(found, PLAIN, LATE).mean(axis=1).sort_values().index)
    chosen = {REFERENCE, *order[:lowest], *order[len(order) - highest :]}
    return [name for name in order if name in chosen]


def numbers(
    found: Found, experts: Sequence[Run], references: Mapping[float, Sequence[Run]], tried: Found
) -> dict[str, str]:
    """What the prose needs and no claim has: values of each design without and with the loss, its costs, and the late
    half beside the reference at the design's rate; `experts`: the mixtures, untrained and trained.
    """
    other = next(run.label for runs in found.values() for run in runs if run.label != PLAIN)
    each = {f"late half: {name}": one for name, one in _with_intervals(values(found, PLAIN, LATE)).items()}
    each |= {f"with the loss: {name}": one for name, one in _with_intervals(values(found, other, LATE)).items()}
    each |= {f"cost: {name}": tables.text(one, 3) for name, one in against_reference(found, LOSS).items()}
    at_one = at_one_rate(found, references, LATE)
    each |= {f"at one rate: {name}": tables.text(one, 3) for name, one in at_one.items()}
    edge = at_the_edge(tried)
    edge = f"{len(edge)} of {len(tried)} designs" + (f": {', '.join(edge)}" if edge else "")
    return each | {"at the edge of the rates": edge} | _routing(experts)


def _routing(experts: Sequence[Run]) -> dict[str, str]:
    """Of the mixtures, untrained and trained: how much more alike are an expert's tokens, the share of the busiest."""
    said = {}
    for label in (UNTRAINED, PLAIN):
        runs = [run for run in experts if run.label == label]
        said[f"experts, {label}"] = tables.text(experts_apart(runs), 3)
        said[f"busiest expert, {label}"] = f"{np.mean([run.results['experts']['largest'] for run in runs]):.0%}"
    return said


def _with_intervals(table: pd.DataFrame) -> dict[str, str]:
    found = {name: mean_and_interval(row.dropna()) for name, row in table.iterrows()}
    return {name: f"{one.value:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}]" for name, one in found.items()}
