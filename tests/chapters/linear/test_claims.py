"""The claims of the committed page follow from its records."""

import json

import pandas as pd
import pytest

from decondense import records
from decondense.chapters.linear import claims
from decondense.chapters.linear.errors import ORDERS
from decondense.chapters.linear.tables import Targets
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED


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
    found = claims.claims(*measured, Targets(value=1.0, gradient=0.99, speed=20))
    assert [claim.as_dict() for claim in found] == page["claims"]


def test_targets_decide_the_verdicts(measured):
    easy, hard = (claims.claims(*measured, Targets(*of)) for of in ((100.0, -1.0, 0), (0.0, 1.0, 10**6)))
    of_targets = 3 * len(ORDERS)  # speed, value, gradient
    assert {claim.verdict.word for claim in easy[:of_targets]} == {REPRODUCED}
    assert {claim.verdict.word for claim in hard[:of_targets]} == {NOT_REPRODUCED}
    assert easy[of_targets:] == hard[of_targets:]
