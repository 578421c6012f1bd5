"""Table 3: two halves of the layers."""

import numpy as np
import pytest
from made_runs import by_seed, committed, scored

from decondense.chapters import table3
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, REPRODUCED, SMALLER


def test_one_setting_is_changed_at_a_time():
    changes = table3.changes(2.0)
    assert set(changes) == {"late_half", *table3.OTHERS}
    assert changes["late_half"] == changes["all layers"] | {"layers": "late_half"}
    assert changes["all layers"] == {"loss": "dispersion", "weight": 2.0}


def test_published_are_the_averages():
    assert table3.published() == {"late": 35.37, "early": 34.96}


@pytest.mark.parametrize(
    ("share", "late", "expected"),
    [
        (0.9, 0.1, [REPRODUCED, REPRODUCED]),
        (0.4, 0.6, [CONTRADICTED, CONTRADICTED]),
        (0.5, 0.495, [CANNOT_TELL, SMALLER]),  # no item differs; beyond 0, and less than counts
    ],
)
def test_verdicts(share, late, expected):
    ends = {"default": (0.5, 0.5), "all layers": (0.5, 0.5), "early_half": (0.5, 0.5), "late_half": (share, late)}
    known = {label: [(part, mu), (part, mu + 0.001), (part, mu + 0.002)] for label, (part, mu) in ends.items()}
    known["late_half"][0] = (share, late - 1e-6)  # some spread
    runs = by_seed(known, lambda of: scored(of[0]) | {"mu": np.array([[of[1]] * 5])})
    claims = table3.claims(runs)
    assert [claim.verdict.word for claim in claims] == expected
    assert "+0.41" in claims[0].rule


def test_committed_runs_give_the_committed_verdicts():
    runs, said, _ = committed("table3", table3.changes(1.0))
    assert [claim.as_dict() for claim in table3.claims(runs)] == said
