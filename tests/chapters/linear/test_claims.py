"""The claims of the committed page follow from its records."""

import json

import pandas as pd
import pytest

from decondense import records
from decondense.chapters.linear import claims
from decondense.chapters.linear.errors import ORDERS
from decondense.chapters.linear.tables import Targets
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, REPRODUCED

TARGETS = Targets(value=1.0, gradient=0.99, work=20)
TRAINING = [
    f"{name}: {what}"
    for name in ORDERS
    for what in ("training gives the geometry of all pairs", "and its validation loss")
]


@pytest.fixture(scope="module")
def page():
    return json.loads((records.committed_folder() / "verdicts-linear.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured(page):
    """What `claims.every` takes: times by shape, the layers of a model, and training."""
    times, training = {}, {}
    for name in page["records"]:
        content = records.read(records.committed_folder() / name).content
        config, rows = content["config"], pd.DataFrame(content["results"]["rows"])
        if content["experiment"] == "expansion-time":
            times[config["tokens"], config["features"]] = rows
        elif "variant" in config:
            training[config["variant"], config["seed"]] = rows.set_index(["step", "entry"])
        else:
            layers = rows.set_index(["text", "entry"])
    return dict(sorted(times.items())), layers, pd.concat(training, names=["variant", "seed"])


def test_claims_are_those_of_the_committed_page(page, measured):
    found = claims.claims(*measured, TARGETS)
    assert [claim.as_dict() for claim in found] == page["claims"]


def test_targets_decide_the_verdicts(measured):
    easy, hard = (claims.claims(*measured, Targets(*of)) for of in ((100.0, -1.0, 0), (-1.0, 1.0, 10**6)))
    of_targets = 3 * len(ORDERS)  # work, value, gradient
    assert {claim.verdict.word for claim in easy[:of_targets]} == {REPRODUCED}
    assert {claim.verdict.word for claim in hard[:of_targets]} == {CONTRADICTED}
    assert easy[of_targets:] == hard[of_targets:]


def test_training_is_judged_by_the_interval_over_seeds(measured):
    times, layers, training = measured
    shown = ["mu", "validation_loss"]

    def words(first_seed=0.0, every_seed=0.0):
        """With orders that train as all pairs, but for a little; and mu of order 1 moved in one seed, or in each."""
        parts = {}
        for variant, seed in training.index.droplevel(["step", "entry"]).unique():
            moved = {0: first_seed}.get(seed, 0.0) + every_seed if variant == "order 1" else 0.0
            rows = training.loc[("all pairs" if variant in ORDERS else variant, seed), shown]
            parts[variant, seed] = rows + {"mu": moved + 1e-4 * seed * (variant in ORDERS), "validation_loss": 0.0}
        table = training.copy()
        table[shown] = pd.concat(parts, names=["variant", "seed"]).reindex(training.index)
        return [c.verdict.word for c in claims.claims(times, layers, table, TARGETS) if c.claim in TRAINING]

    assert words() == [REPRODUCED] * 4
    assert words(every_seed=0.1)[0] == CONTRADICTED
    assert words(first_seed=0.1)[0] == CANNOT_TELL
