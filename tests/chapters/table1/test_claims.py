"""Each claim rests on its column; the committed verdicts are those of the losses as they are."""

import json

import pandas as pd
import pytest

from decondense import records
from decondense.chapters.table1 import claims, measurements
from decondense.losses import forces
from decondense.paper.claims import IN_PRINT, OWN
from decondense.paper.verdicts import CONTRADICTED, PARTLY, REPRODUCED

NAMES = ["dispersion", "decorrelation", "l2_repel", "orthogonalization"]
# Against every claim that rests on the column.
TURNED = {"force": -1.0, "elongation": 3.0, "mean cosine": 0.9, "change of norm in %": 1.0, "change of mu": -0.9}


def judged(turned=(), entries=(1,)):
    """On tables for which every claim holds, but for those columns that are turned at the last entry."""
    value = lambda name, holds, entry=entries[-1]: TURNED[name] if name in turned and entry == entries[-1] else holds
    push = value("force", 1.0)
    angles = pd.DataFrame({"dispersion": push, "orthogonalization": [push, 0.0 if push > 0 else 0.1]}, index=[45, 135])
    after = [value("elongation", 1.0), value("mean cosine", 0.0)]
    table = pd.DataFrame({"decorrelation": after, "l2_repel": after, "before": [2.0, 0.5]}).T
    table.columns = ["elongation", "mean cosine"]
    probed = {
        entry: pd.DataFrame(
            {
                "change of norm in %": value("change of norm in %", -5.0, entry),
                "change of mu": [-0.4, value("change of mu", -0.1, entry), 0.0],
            },
            index=["dispersion", "decorrelation", "l2_repel"],
        )
        for entry in entries
    }
    return claims.claims(angles, table, pd.concat(probed, names=["entry", "loss"]))


@pytest.mark.parametrize(
    ("turned", "fail"),
    [
        ([], []),
        (["force"], [0, 1, 2]),
        (["elongation"], [3]),
        (["mean cosine"], [4]),
        (["change of norm in %"], [5]),
        (["change of mu"], [6]),
    ],
)
def test_each_claim_rests_on_its_column(turned, fail):
    expected = [CONTRADICTED if number in fail else REPRODUCED for number in range(7)]
    assert [claim.verdict.word for claim in judged(turned)] == expected


def test_a_real_layer_counts_entry_by_entry():
    found = judged(["change of norm in %", "change of mu"], entries=(8, 15))
    assert [claim.verdict.word for claim in found[5:]] == [PARTLY, PARTLY]
    assert found[6].here == "entry 8: -0.100 against -0.400; entry 15: -0.900 against -0.400"
    assert [claim.as_dict()["kind"] for claim in found] == [IN_PRINT] * 5 + [OWN, OWN]


def test_committed_verdicts_are_those_of_the_losses():
    said = json.loads((records.committed_folder() / "verdicts-table1.json").read_text())
    cloud = forces.cloud()
    table = measurements.what_becomes(cloud, {name: forces.flow(name, cloud) for name in NAMES})
    kept = records.read(records.committed_folder() / said["records"][0]).content["results"]["entries"]
    layers = {int(entry): pd.DataFrame.from_dict(rows, orient="index") for entry, rows in kept.items()}
    found = claims.claims(forces.by_angle(NAMES), table, pd.concat(layers, names=["entry", "loss"]))
    assert [claim.as_dict() for claim in found] == said["claims"]
