"""The runs of the campaign (`runs.items`) beside those of a page: what they show, and the claims that they decide.

A claim is decided by the largest runs that can carry a verdict: those of the campaign where they are larger than the
page's own and have as many seeds as their design. What the page's runs say stays beside it.
"""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from ..runs import items, kept, tables
from ..runs.run import Run
from ..runs.tables import Quantity
from ..stats import Estimate
from . import designs
from .claims import Claim
from .verdicts import effect

LATE, RHO, LOSS = "late-half μ", "Spearman ρ", "validation loss (nats a token)"
LIKELIHOOD = "log-probability of the right answers (nats an item)"
ENDPOINTS: dict[str, Quantity] = {  # after the last step, by their names in the designs
    LATE: Run.late_half,
    RHO: lambda run: run.look().rho,
    LOSS: lambda run: run.validation_loss,
    LIKELIHOOD: lambda run: run.likelihood,
}


runs = kept.runs  # for a page, which needs no more of `kept`


def nothing(item: str) -> str:
    """What a page says where there are none."""
    return f"No GPU records yet: `decondense campaign --only {item}` makes them."


def where(found: Sequence[Run]) -> str:
    """The machine, the tokens of a run and the seeds, in words."""
    cards = {run.record.content["provenance"]["hardware"]["gpu"] or "a CPU" for run in found}
    tokens = sorted({run.results["tokens"] for run in found})
    counts = " or ".join(f"{n:,}" for n in tokens)
    return f"{' and '.join(sorted(cards))}, {counts} tokens a run, {len({run.seed for run in found})} seeds"


# --- a table ----------------------------------------------------------------------------------------------------------


def endpoints(item: str, found: Sequence[Run]) -> list[str]:
    """The quantities that these runs have, the primary and the secondary of the item's design first."""
    design = items.entry(item).get("design")
    first = [one.quantity for one in designs.load(design)[-2:]] if design else []
    scored = all(run.config["tasks"] for run in found)
    return [name for name in dict.fromkeys([*first, *ENDPOINTS]) if scored or name != LIKELIHOOD]


def contrasts(item: str, found: Sequence[Run]) -> dict[str, str]:
    """Label -> the label that it is compared with (`against` in `items.toml`), of those with runs of both."""
    asked, there = items.entry(item, True)["against"] | items.entry(item)["against"], tables.first(found)
    return {label: baseline for label, baseline in asked.items() if label in there and baseline in there}


def difference(found: Sequence[Run], label: str, baseline: str, quantity: str) -> Estimate:
    """One label minus another, seed by seed; of what is scored over seeds and items."""
    if quantity == LIKELIHOOD:
        return tables.paired_items(found, label, baseline, "logprob")
    return tables.paired(found, label, baseline, ENDPOINTS[quantity])


def table(item: str, found: Sequence[Run]) -> pd.DataFrame:
    """Mean and spread of each endpoint, a row per label; then each difference, with its 95 % interval."""
    names = endpoints(item, found)
    means = tables.summary(found, {name: ENDPOINTS[name] for name in names})
    rows = {
        f"{label} minus {baseline}": {name: tables.text(difference(found, label, baseline, name), 3) for name in names}
        for label, baseline in contrasts(item, found).items()
    }
    return pd.concat([means, pd.DataFrame.from_dict(rows, orient="index", columns=names)])


def shown(item: str, found: Sequence[Run]):
    """`table` for a notebook, with the machine in its caption."""
    return table(item, found).style.set_caption(f"On {where(found)}.")


# --- verdicts ---------------------------------------------------------------------------------------------------------


def size(found: Sequence[Run]) -> float:
    """Parameters times tokens of the largest run; of further training, whose models are the same, the tokens."""
    of = lambda run: run.results["tokens"] * run.results["model"].get("parameters", 1)
    return max(map(of, found), default=0)


def decided(claim: Claim, item: str, quantity: str, here: Sequence[Run], found: Sequence[Run]) -> Claim:
    """The claim of a page on a quantity of an item's design, as the larger runs decide it.

    As it is where the campaign has no runs; where they are smaller than the page's, or of fewer seeds than designed,
    with what they say beside it.

    here
        The runs that the claim rests on.
    found
        Those of the campaign (`runs`).
    """
    if not found:
        return claim
    design = designs.load(items.entry(item)["design"])
    wanted = next(one for one in design[-2:] if one.quantity == quantity)
    (label, baseline), *_ = contrasts(item, found).items()
    apart = difference(found, label, baseline, quantity)
    said = f"{where(found)}: {label} minus {baseline} {tables.text(apart, 3)}"
    seeds = len({run.seed for run in found if run.label == label})
    if seeds < design.n or size(found) <= size(here):
        why = f"{design.n} seeds were designed" if seeds < design.n else "smaller than the runs here"
        return replace(claim, here=f"{claim.here}. On {said} (no verdict: {why})")
    tests = [effect(apart, wanted.smallest, wanted.reason)]
    return replace(claim, here=f"{said}. Smaller runs here: {claim.here}", verdict=tests)
