"""What a model still knows of biographies when its weights are rounded: `training.run`, and then rounding."""

from collections import deque
from collections.abc import Mapping, Sequence

import pandas as pd

from ... import records
from ...quantise import Scheme, quantised
from ...runs import tables
from ...runs.run import Run
from ...stats import Estimate, mean_and_interval
from . import training
from .readings import PLAIN, Case

WHOLE = "as trained"


def run(case: Case, bits: Sequence[int]) -> records.Record:
    """The record of the run of a case, trained again, with its weights as they are and rounded to each of `bits`.

    Linear layers are rounded, each output channel with a step of its own; embeddings, and with them the output, are
    left (`quantise.layers`). In the results: `parameters`, and `held`, what `training.held` gives, by `WHOLE` and the
    bits. A committed record is taken where there is one.
    """
    asked = {name: value for name, value in case.asked.items() if name not in ("training", "seed", "loss", "weight")}
    loss = case.asked.get("loss")
    weight = case.asked.get("weight") if loss else None
    config = {**asked, **case.asked["training"], "loss": loss, "weight": weight, "rounding": list(bits)}
    config["seed"] = case.seed
    name = f"capacity-rounded-{loss or 'train'}"
    where = training.surroundings()
    return records.run(name, config, lambda: (_rounded(config), None), __name__, surroundings=where, committed=True)


def _rounded(config: Mapping) -> dict:
    model, rows = training.start(config)
    deque(training.courses(model, rows, config, config["steps"]), maxlen=0)  # to the last step
    held = {WHOLE: training.held(model.eval(), rows, config["data"])}
    for bits in config["rounding"]:
        with quantised(model, Scheme(bits=bits)):
            held[str(bits)] = training.held(model, rows, config["data"])
    return {"parameters": sum(p.numel() for p in model.parameters()), "held": held}


def runs(cases: Sequence[Case], bits: Sequence[int]) -> list[Run]:
    """All cases, as `run`."""
    return [Run(case.label, case.seed, run(case, bits)) for case in cases]


def known(of: Run, bits: str) -> float:
    """Bits of facts per parameter at a precision (`WHOLE`, or the bits)."""
    return of.results["held"][bits]["facts"] / of.results["parameters"]


def by_seed(found: Sequence[Run], bits: str) -> pd.DataFrame:
    """`known`, a row per arm and a column per seed."""
    return tables.by_seed(found, lambda each: known(each, bits))


def lost(found: Sequence[Run], bits: str) -> Estimate:
    """What plain training loses by rounding: as trained minus rounded, bits of facts per parameter, over the seeds."""
    return mean_and_interval((by_seed(found, WHOLE) - by_seed(found, bits)).loc[PLAIN])


def kept_more(found: Sequence[Run], bits: str) -> Estimate:
    """How much less a model loses by rounding with the loss than without, seed by seed: above 0 it keeps more."""
    change = by_seed(found, bits) - by_seed(found, WHOLE)
    return mean_and_interval(change.drop(PLAIN).iloc[0] - change.loc[PLAIN])


def table(found: Sequence[Run]) -> pd.DataFrame:
    """A row per precision: what each arm knows, mean over the seeds; and `kept_more`, with 95 % intervals."""
    rows = {}
    for bits in found[0].results["held"]:
        more = {} if bits == WHOLE else {"dispersion keeps more": tables.text(kept_more(found, bits), 3)}
        rows[bits if bits == WHOLE else f"{bits} bits"] = by_seed(found, bits).mean(axis=1).to_dict() | more
    return pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis("weights")
