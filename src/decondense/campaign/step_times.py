"""What a training step takes in each condition of an item: for what is compared at equal time."""

from .. import records
from ..base import timing
from ..runs import steps
from ..runs.items import Runs
from .speed import cost, here

ROUNDS = 20


def measured(item: Runs, tiny: bool) -> records.Record:
    """Record the time of one step (`runs.steps`) of each condition in turn, `ROUNDS` times.

    `rows` as `timing.interleaved` gives them.
    """
    conditions = {label: item.shared.changed(**change) for label, change in item.changes.items()}

    def compute() -> tuple[dict, None]:
        return {"rows": timing.interleaved(steps.cases(conditions), ROUNDS, cost)}, None

    config = {"conditions": steps.settings(conditions), "rounds": ROUNDS, "tiny": tiny, "seed": 0}
    return records.run(f"campaign-{item.name}-step-times", config, compute, __name__, surroundings=here())
