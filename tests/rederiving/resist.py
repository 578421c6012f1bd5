"""Designs that resist, from what their records keep: differences seed by seed, and the recursion beside the models."""

from collections import defaultdict

import numpy as np

from .mathematics import last_of, paired, with_interval
from .texts import named

REFERENCE, EXPERTS = "pre-norm", "experts"
PILOT = 3  # seeds of experts, the first, that the design was made from
TUNING = 200  # the seed of the runs that choose the rates


def resist(claim, used):
    text, here = claim["claim"], claim["here"]
    if text.startswith("before training"):
        yield from named(here.removeprefix("largest difference: "), recursion(used))
        return
    runs = grouped(used)
    if text.startswith("mixture of experts"):
        first = int("without the first block" in text)
        untrained = {run.config["seed"]: run for run in used if run.name.startswith("resist-initial-experts")}
        trained = runs[EXPERTS, None][PILOT:]
        yield "", here, with_interval([experts_apart(run, first) - experts_apart(untrained[run.seed], first)
                                       for run in trained])  # fmt: skip
    elif text.endswith(f"lower than that of {REFERENCE}"):
        name = text.partition(":")[0]
        yield "", here, paired(runs[name, None], runs[REFERENCE, None], late)
    elif text.startswith("no design that resists"):
        names = {name for name, loss in runs if not loss} - {REFERENCE, EXPERTS}
        yield from named(here, {name: paired(runs[name, None], runs[REFERENCE, None], validation) for name in names})
    elif text.startswith("dispersion lowers"):
        value = late if "late-half" in text else validation
        names = {name for name, loss in runs if loss}
        yield from named(here, {name: paired(runs[name, "dispersion"], runs[name, None], value) for name in names})


def grouped(used):
    """The runs by design and loss at the rate of the design: that of the run of `TUNING` with the lowest loss."""
    trained = [run for run in used if "loss" in run.config]
    tried = sorted((run for run in trained if run.seed == TUNING), key=validation, reverse=True)
    rates = {run.config["design"]: run.config["learning_rate"] for run in tried}  # the last, which is the lowest, stays
    found = defaultdict(list)
    for run in trained:
        own = rates.get(run.config["design"], run.config["learning_rate"])
        if run.seed < 100 and own == run.config["learning_rate"]:
            found[run.config["design"], run.config["loss"]].append(run)
    return {key: sorted(runs, key=lambda run: run.seed) for key, runs in found.items()}


def late(run):
    return float(last_of(run.mu()))


def validation(run):
    return run.results["course"][-1]["validation_loss"]


def experts_apart(run, first):
    found = run.results["experts"]
    return float(np.mean((np.array(found["expert"]) - np.array(found["all"]))[first:]))


def recursion(used):
    """Largest difference of prediction and untrained model, a list of one for each design."""
    (predicted,) = (made.results["mu"] for made in used if "designs" in made.config)
    models = {made.config["design"]: made.results["mu"] for made in used if made.name.startswith("resist-initial-")
              and "mu" in made.results}  # fmt: skip
    return {name: [float(np.abs(np.array(mu) - np.array(predicted[name])).max())] for name, mu in models.items()}
