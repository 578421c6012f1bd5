"""What the runs of the page say: bits per parameter over the size of the data, how flat the curve was, the geometry."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ...runs import geometry, tables
from ...runs.run import Run
from ...runs.tables import Quantity
from ...stats import Estimate, mean_and_interval
from . import biographies, training
from .training import LIVES

PLAIN = "train"
HELD, LATE = "bits per parameter", "late-half μ"
PARTS = ("within", "between", "excess")
FLAT = 0.002  # of what is held: what the last third of the steps may add to a curve that is flat
Filled = Mapping[float, Sequence[Run]]  # by the bits of the data for each parameter of the model


def data_of(kind: str, shape: Mapping, bits: float, how: Mapping) -> dict:
    """The data of `training.run` with so many bits for each parameter, to the nearest row.

    how
        Of RANDOM: `length` and `vocabulary`. Of LIVES nothing: their bits are those of the facts.
    """
    size = training.parameters({"kind": kind, **how}, shape, _columns(kind, how))
    if kind == LIVES:
        return {"kind": kind, "people": max(2, round(bits * size / biographies.BITS))}
    return {"kind": kind, "rows": max(2, round(bits * size / (how["length"] * math.log2(how["vocabulary"])))), **how}


def _columns(kind: str, how: Mapping) -> int:
    return biographies.rows(biographies.people(1, 0)).shape[1] if kind == LIVES else 1 + how["length"]


def steps_of(exposures: float, data: Mapping, batch_size: int) -> int:
    """The steps in which every row comes so many times."""
    rows = data["people"] if data["kind"] == LIVES else data["rows"]
    return max(1, round(exposures * rows / min(batch_size, rows)))


def filled(
    kind: str, shape: Mapping, bits: Sequence[float], how: Mapping, asked: Mapping, loss: Mapping, seeds: Sequence[int]
) -> dict[float, list[Run]]:
    """The runs without and with the loss, for data of each of `bits` for each parameter; arguments as `cases`."""
    found: dict[float, list[Run]] = {each: [] for each in bits}
    for case in cases(kind, shape, bits, how, asked, loss, seeds):
        found[case.bits].append(Run(case.label, case.seed, training.run(**case.asked)))
    return found


class Case(NamedTuple):
    """A run that is asked for: the arguments of `training.run`, and what the page calls it."""

    bits: float
    label: str
    seed: int
    asked: dict


def cases(
    kind: str, shape: Mapping, bits: Sequence[float], how: Mapping, asked: Mapping, loss: Mapping, seeds: Sequence[int]
) -> Iterator[Case]:
    """The runs of `filled`: by the bits, then without and with the loss, then by the seed.

    how
        As in `data_of`.
    asked
        As `training` of `training.run`; `exposures` in place of `steps`: how often each row comes.
    loss
        `loss` and `weight`.
    """
    for each in bits:
        data, told = data_of(kind, shape, each, how), dict(asked)
        if "exposures" in told:
            told["steps"] = steps_of(told.pop("exposures"), data, told["batch_size"])
        for label, change in {PLAIN: {}, loss["loss"]: dict(loss)}.items():
            for seed in seeds:
                yield Case(each, label, seed, {"data": data, "shape": shape, "training": told, "seed": seed, **change})


# --- of one run -----------------------------------------------------------------------------------------------------


def held(run: Run) -> float:
    """Bits per parameter after the last step: of random tokens all, of lives those of the facts."""
    return _bits(run, -1) / run.results["parameters"]


def _bits(run: Run, look: int) -> float:
    course = run.results["course"][look]
    return course["facts" if "facts" in course else "bits"]


def added_at_end(run: Run) -> float:
    """The share of what is held that the last third of the steps added."""
    course, steps = run.results["course"], run.config["steps"]
    at = min(range(len(course)), key=lambda look: abs(course[look]["step"] - 2 * steps / 3))
    return 1 - _bits(run, at) / _bits(run, -1)


QUANTITIES: dict[str, Quantity] = {
    HELD: held,
    LATE: geometry.late_half(),
    **{f"{name}, late half": geometry.late_half(name) for name in PARTS},
}


# --- of several -----------------------------------------------------------------------------------------------------


def fullest(found: Filled) -> float:
    """The size of data of which plain training holds most, on average over the seeds."""
    mean = lambda runs: tables.by_seed(runs, held).loc[PLAIN].mean()
    return max(found, key=lambda bits: mean(found[bits]))


def at_capacity(sizes: Mapping[str, Filled]) -> list[list[Run]]:
    """Of each size of model the runs on the data of which plain training holds most."""
    return [found[fullest(found)] for found in sizes.values()]


def difference(groups: Sequence[Sequence[Run]], quantity: str) -> Estimate:
    """With the loss minus without, seed by seed, each the mean over the groups of runs."""
    return _over_seeds([_paired(runs, quantity) for runs in groups])


def _paired(runs: Sequence[Run], quantity: str) -> pd.Series:
    table = tables.by_seed(runs, QUANTITIES[quantity])
    return table.drop(PLAIN).iloc[0] - table.loc[PLAIN]


def of_plain(groups: Sequence[Sequence[Run]], quantity: str = HELD, less: float = 0.0) -> Estimate:
    """Plain training, minus a number: mean over the groups of runs, with an interval over the seeds."""
    return _over_seeds([tables.by_seed(runs, QUANTITIES[quantity]).loc[PLAIN] - less for runs in groups])


def with_more_data(sizes: Mapping[str, Filled], quantity: str) -> Estimate:
    """Plain training on the largest data minus on the smallest, seed by seed, mean over the sizes of model."""
    plain = lambda runs: tables.by_seed(runs, QUANTITIES[quantity]).loc[PLAIN]
    return _over_seeds([plain(found[max(found)]) - plain(found[min(found)]) for found in sizes.values()])


def _over_seeds(each: Sequence[pd.Series]) -> Estimate:
    return mean_and_interval((sum(each) / len(each)).dropna())


def table(found: Filled) -> pd.DataFrame:
    """A row per size of data, the means over the seeds: what plain training holds, how often it saw each row, by how
    much its curve still rose, and what the loss changes, with 95 % intervals."""
    rows = {}
    for bits, each in found.items():
        plain = [run for run in each if run.label == PLAIN]
        mean = lambda quantity, plain=plain: sum(map(quantity, plain)) / len(plain)
        change = {f"loss: {name}": tables.text(difference([each], name), 3) for name in QUANTITIES}
        most = mean(lambda run: run.results.get("memorisable", math.nan) / run.results["parameters"])
        rows[f"{bits:g}"] = {
            HELD: mean(held), "most that can be": most, "passes": round(mean(lambda run: run.results["passes"])),
            "added by the last third": mean(added_at_end), LATE: mean(QUANTITIES[LATE]), **change,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data (bits per parameter)")


def flat(runs: Sequence[Run]) -> int:
    """How many of the runs had a flat curve by the rule that was fixed first."""
    return sum(added_at_end(run) < FLAT for run in runs)


def gained(shorter: Filled, longer: Filled, label: str) -> float:
    """How much more the runs of one label store after more steps, on the same data: a share of their mean."""
    (bits,) = set(shorter) & set(longer)
    mean = lambda runs: tables.by_seed(runs, held).loc[label].mean()
    return float(mean(longer[bits]) / mean(shorter[bits]) - 1)


def longer(shape: Mapping, how: Mapping, asked: Mapping, one: Mapping) -> Run:
    """A single run of plain training on random tokens, of other `steps`: `one` has these, the `bits` and the `seed`."""
    told = dict(asked) | {"steps": one["steps"]}
    data = data_of(training.RANDOM, shape, one["bits"], how)
    return Run(PLAIN, one["seed"], training.run(data, shape, told, one["seed"]))


def beside(longest: Run, found: Filled, one: Mapping) -> pd.Series:
    """Bits per parameter of that run, with what its last third added, and of the usual steps on the same data."""
    usual = [run for run in found[one["bits"]] if run.label == PLAIN]
    at = lambda run: f"stored of {one['bits']:g} bits per parameter in {run.config['steps']:,} steps"
    return pd.Series({
        at(usual[0]): f"{sum(map(held, usual)) / len(usual):.2f}",
        at(longest): f"{held(longest):.2f}, of which the last third added {added_at_end(longest):.1%}",
    })  # fmt: skip
