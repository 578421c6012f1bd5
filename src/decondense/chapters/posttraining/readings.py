"""What the runs say: each quantity over the divergence from the start, and all of them at one common divergence."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from ... import metrics
from ...runs import tables
from ...runs.run import Run
from ...stats import Estimate, Interval, mean_and_interval
from . import looks, training

PLAIN = "train"
NAMES = {"sft": "SFT", "dpo": "DPO", "grpo": "GRPO"}
TEXT, OWN = "text", "own"  # what is read: neutral texts, the model's own
WHICH = {TEXT: "neutral text", OWN: "own text"}
LATE = "late-half μ, neutral text"
RANK = "effective rank, last tokens"
DIVERGENCE = "kl_text"  # nats a token, on the neutral texts: what runs are compared at
CHANCE = "chance of the right number"  # over sums that no run was trained on
RIGHT, ON_ANSWERS = "log-probability of right answers", "KL on the start's answers"
OF_PROMPTS = "effective rank, prompts"
SCALARS = {RANK: "rank", OF_PROMPTS: "rank_prompts", CHANCE: "chance", RIGHT: "right", ON_ANSWERS: "kl_answers"}


def quantities() -> list[str]:
    """The names of what is read off every look."""
    geometry = [f"late-half {part}, {of}" for of in WHICH.values() for part in ("μ", "within", "between", "excess")]
    return [*geometry, *SCALARS]


class Case(NamedTuple):
    """One run: its method, with the loss or without, its seed, and the arguments of `training.run`."""

    method: str
    label: str
    seed: int
    asked: dict


def cases(
    start: Mapping, data: Mapping, train: Mapping, methods: Mapping[str, Mapping], looked: Mapping, loss: Mapping,
    seeds: Sequence[int],
) -> Iterator[Case]:  # fmt: skip
    """The runs of each method, without and with the loss.

    train, methods
        `training.run`'s `training`: what the methods share, and what each has of its own.
    """
    for method, own in methods.items():
        shared = {"method": method, "start": start, "data": data, "looked": looked}
        shared["training"] = dict(train) | dict(own)
        for label, change in {PLAIN: {}, loss["loss"]: dict(loss)}.items():
            for seed in seeds:
                yield Case(method, label, seed, shared | {"seed": seed} | change)


def all_runs(*asked) -> dict[str, list[Run]]:
    """The runs of all `cases` by their method; arguments as there."""
    found: dict[str, list[Run]] = {}
    for case in cases(*asked):
        found.setdefault(case.method, []).append(Run(case.label, case.seed, training.run(**case.asked)))
    return found


# --- of one run -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name].astype(float) for name in file.files}


def course(run: Run, name: str) -> Float[np.ndarray, "looks"]:
    """A quantity at each look of a run, the start first.

    Raises
        ValueError: a name that is not one of `quantities`.
    """
    if name in SCALARS:
        return _scalar(run, SCALARS[name])
    if name not in quantities():
        raise ValueError(f"Unknown quantity {name!r}: take one of {', '.join(quantities())}.")
    part, of = name.removeprefix("late-half ").split(", ")
    return metrics.mean_of_last(depth(run, part, next(key for key, said in WHICH.items() if said == of)), None)


def _scalar(run: Run, name: str) -> Float[np.ndarray, "looks"]:
    return np.array([look[name] for look in run.results["course"]], dtype=float)


def divergence(run: Run) -> Float[np.ndarray, "looks"]:
    """How far each look is from the start, in nats a token: 0 first."""
    return _scalar(run, DIVERGENCE)


def depth(run: Run, part: str, of: str) -> Float[np.ndarray, "looks entries"]:
    """`μ`, `within`, `between` or `excess` at each entry."""
    found = _arrays(run.record.arrays)
    within, between = found[of][:, 0], found[of][:, 1]
    tokens = int(found["tokens"][list(WHICH).index(of)])
    return {"μ": looks.mu(within, tokens), "within": within, "between": between, "excess": within - between}[part]


def depth_at(run: Run, part: str, at: float) -> Float[np.ndarray, "entries"]:
    """`depth` on neutral text at a divergence minus the start's, read as in `at_divergence`; NaN if not reached."""
    each = depth(run, part, TEXT)
    return np.array([at_divergence(values, divergence(run), at) for values in each.T]) - each[0]


def at_divergence(values: Float[np.ndarray, "looks"], divergences: Float[np.ndarray, "looks"], at: float) -> float:
    """A quantity where a run first reached a divergence: a line between the look before and the look behind.

    NaN where no look is as far: nothing is extrapolated. Looks that fall back below it do not matter.

    Raises
        ValueError: a divergence of 0 or less, which is the start.
    """
    if at <= 0:
        raise ValueError(f"The divergence must be above 0, got {at}.")
    reached = np.flatnonzero(np.asarray(divergences) >= at)
    if not len(reached) or reached[0] == 0:
        return float("nan")
    k = reached[0]
    share = (at - divergences[k - 1]) / (divergences[k] - divergences[k - 1])
    return float(values[k - 1] + share * (values[k] - values[k - 1]))


# --- of several -----------------------------------------------------------------------------------------------------


def change(runs: Sequence[Run], name: str, at: float, label: str = PLAIN, relative: bool = False) -> Estimate:
    """A quantity at the divergence minus the start's, over the seeds; `relative`: over the start's."""
    values = []
    for run in runs:
        if run.label == label:
            each = course(run, name)
            moved = at_divergence(each, divergence(run), at) - each[0]
            values.append(moved / each[0] if relative else moved)
    return _over(values)


def with_loss(runs: Sequence[Run], name: str, at: float) -> Estimate:
    """With the loss minus without at the same divergence, seed by seed."""
    table = tables.by_seed(runs, lambda run: at_divergence(course(run, name), divergence(run), at))
    return _over(table.drop(PLAIN).iloc[0] - table.loc[PLAIN])


def _over(values) -> Estimate:
    values = np.asarray(values, dtype=float)
    found = values[np.isfinite(values)]
    return mean_and_interval(found) if len(found) else Estimate(np.nan, Interval(np.nan, np.nan), np.nan, 0)


def reached(found: Mapping[str, Sequence[Run]], at: float) -> pd.DataFrame:
    """Runs that came as far as the divergence, of how many; and the smallest and largest divergence at the end."""
    rows = {}
    for method, runs in found.items():
        for label in tables.first(runs):
            ends = [divergence(run).max() for run in runs if run.label == label]
            rows[f"{NAMES[method]}, {label}"] = {
                "runs": len(ends), "as far": sum(end >= at for end in ends), "least": min(ends), "most": max(ends),
            }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def comparison(found: Mapping[str, Sequence[Run]], at: float, names: Sequence[str] | None = None) -> pd.DataFrame:
    """A row for each quantity (`None`: all): its value at the start, and of each method what training changes and the
    loss adds.
    """
    any_run = next(iter(found.values()))[0]
    rows = {}
    for name in names or quantities():
        row = {"start": float(course(any_run, name)[0])}
        for method, runs in found.items():
            row[NAMES[method]] = tables.text(change(runs, name, at), 4)
            row[f"{NAMES[method]}, loss"] = tables.text(with_loss(runs, name, at), 4)
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def end_with_loss(runs: Sequence[Run], name: str) -> Estimate:
    """After the last step with the loss minus without, seed by seed, however far both are by then."""
    table = tables.by_seed(runs, lambda run: course(run, name)[-1])
    return _over(table.drop(PLAIN).iloc[0] - table.loc[PLAIN])


def _halves(run: Run) -> list[float]:
    """Mean reward in the first and the second half of the steps; NaN for a method without rewards."""
    rewards = [row.get("reward", np.nan) for row in run.results["logged"]]
    middle = len(rewards) // 2
    return [float(np.mean(part)) if part else np.nan for part in (rewards[:middle], rewards[middle:])]


def at_end(runs: Sequence[Run], name: str, label: str = PLAIN) -> Estimate:
    """A quantity after the last step minus the start's, over the seeds, however far the runs are by then."""
    return _over([course(run, name)[-1] - course(run, name)[0] for run in runs if run.label == label])


def ends(found: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """What the runs without a loss learnt: the chance of the right number to sums that no run was trained on, GRPO's
    reward; how far they went; steps without a gradient; pairs left out.
    """
    rows = {}
    for method, runs in found.items():
        plain = [run for run in runs if run.label == PLAIN]
        chance = np.mean([course(run, CHANCE) for run in plain], axis=0)
        rewarded = np.mean([_halves(run) for run in plain], axis=0)
        rows[NAMES[method]] = {
            "right number: start": chance[0], "end": chance[-1], "change": tables.text(at_end(runs, CHANCE), 2),
            "KL at the end (nats a token)": f"{np.mean([divergence(run)[-1] for run in plain]):.4f}",
            f"{LATE}, at the end": tables.text(at_end(runs, LATE), 4),
            "steps": plain[0].config["training"]["steps"],
            "steps without a gradient": np.mean([len(run.results["no_gradient"]) for run in plain]),
            "reward: first half": rewarded[0], "second half": rewarded[1],
            "pairs left out": np.mean([run.results["left_out"]["equal answers"] for run in plain]),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def numbers(found: Mapping[str, Sequence[Run]], at: float) -> dict[str, str]:
    """What the prose needs and no claim has: changes of each method, what it learnt, and GRPO's rewards."""
    each = {}
    for method, runs in found.items():
        said = {
            "alone": tables.text(change(runs, LATE, at), 4),
            "with the loss": tables.text(with_loss(runs, LATE, at), 4),
            "has learnt": tables.text(change(runs, CHANCE, at), 2),
            "on its answers": tables.text(change(runs, ON_ANSWERS, at), 2),
            "prompts": tables.text(change(runs, OF_PROMPTS, at), 1),
            "right answers": tables.text(change(runs, RIGHT, at), 1),
            "at the end": tables.text(at_end(runs, LATE), 4),
            "at the end, with the loss": tables.text(end_with_loss(runs, LATE), 4),
            "learns": tables.text(at_end(runs, CHANCE), 2),
            "learns, with the loss": tables.text(end_with_loss(runs, CHANCE), 2),
        }
        each |= {f"{NAMES[method]} {what}": one for what, one in said.items()}
    return each | (_of_grpo(found["grpo"]) if "grpo" in found else {})


def _of_grpo(runs: Sequence[Run]) -> dict[str, str]:
    end = ends({"grpo": runs}).loc[NAMES["grpo"]]
    shares = [row["frac_reward_zero_std"] for run in runs if run.label == PLAIN for row in run.results["logged"]]
    return {
        "rewards": f"{end['reward: first half']:.2f}, then {end['second half']:.2f}",
        "no gradient": f"{end['steps without a gradient']:.1f} of {end['steps']} steps, on average",
        "groups without a gradient": f"{np.mean(shares):.0%}",
    }
