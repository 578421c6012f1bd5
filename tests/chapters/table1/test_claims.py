"""Each claim rests on its column; the committed verdicts are those of the losses as they are."""

import json

import pandas as pd
import pytest

from decondense import records
from decondense.chapters.table1 import claims, measurements
from decondense.losses import forces
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED

TURNED = {"force": -1.0, "elongation": 3.0, "mean cosine": 0.9, "change of norm in %": 1.0}  # against every claim


def judged(turned=()):
    """On tables for which every claim holds, but for those columns that are turned."""
    value = lambda name, holds: TURNED[name] if name in turned else holds
    push = value("force", 1.0)
    angles = pd.DataFrame({"dispersion": push, "orthogonalization": [push, 0.0 if push > 0 else 0.1]}, index=[45, 135])
    after = [value("elongation", 1.0), value("mean cosine", 0.0)]
    table = pd.DataFrame({"decorrelation": after, "l2_repel": after, "before": [2.0, 0.5]}).T
    table.columns = ["elongation", "mean cosine"]
    layer = pd.DataFrame({"change of norm in %": [value("change of norm in %", -5.0)]}, index=["l2_repel"])
    return claims.claims(angles, table, layer)


@pytest.mark.parametrize(
    ("turned", "fail"),
    [([], []), (["force"], [0, 1, 2]), (["elongation"], [3]), (["mean cosine"], [4]), (["change of norm in %"], [5])],
)
def test_each_claim_rests_on_its_column(turned, fail):
    expected = [NOT_REPRODUCED if number in fail else REPRODUCED for number in range(6)]
    assert [claim.verdict.word for claim in judged(turned)] == expected


def test_committed_verdicts_are_those_of_the_losses():
    """All but the last, which is of a real layer: the forces need no record."""
    names = ["dispersion", "decorrelation", "l2_repel", "orthogonalization"]
    cloud = forces.cloud()
    table = measurements.what_becomes(cloud, {name: forces.flow(name, cloud) for name in names})
    layer = pd.DataFrame({"change of norm in %": [-5.0]}, index=["l2_repel"])
    found = claims.claims(forces.by_angle(names), table, layer)
    said = json.loads((records.committed_folder() / "verdicts-table1.json").read_text())["claims"]
    assert [claim.as_dict() for claim in found][:5] == said[:5]
    assert found[5].claim == said[5]["claim"]
