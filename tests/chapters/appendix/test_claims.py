"""The claims of Appendix D follow the numbers, and are those of the committed page."""

import json

import numpy as np
import pandas as pd

from decondense import records
from decondense.chapters.appendix import bounds, claims, draws, factors, repetition
from decondense.paper.claims import IN_PRINT, OWN
from decondense.paper.verdicts import CONTRADICTED, REPRODUCED

M = 832
NORMS, ENTRIES = [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 10.0, 27.7, 100.0], [1, 2, 3, 4, 10, 100, M, 1600]  # of the page


def words(*arguments):
    return [claim.verdict.word for claim in claims.claims(*arguments, M)]


def test_claims_follow_the_numbers():
    table, drawn = bounds.check_all([30.0], [1, 5]), draws.monte_carlo([0.5], [1.0, 3.0], 5, draws=1000)
    assert words(pd.Series([0.0, 1e-16]), table, np.array([[0.5, 0.2]]), drawn) == [REPRODUCED] * 6
    worse, off = table.assign(holds=0), drawn.assign(formula=drawn.formula + 1)
    assert words(pd.Series([0.1, 0.2]), worse, np.array([1.0, 1.1]), off) == [CONTRADICTED] * 6


def test_the_upper_bound_fails_at_the_values_of_the_paper():
    table, drawn = bounds.check_all([1.0], [M]), draws.monte_carlo([0.5], [1.0], 5, draws=1000)
    lower, upper = claims.claims(pd.Series([0.0]), table, np.array([0.5]), drawn, M)[2:4]
    assert (lower.verdict.word, upper.verdict.word) == (REPRODUCED, CONTRADICTED)
    assert "c/833" in lower.published
    assert "c/832" in upper.published
    assert upper.here.startswith("c/831.502 there; it fails below r = 20.37")


def test_one_failure_is_enough():
    drawn = draws.monte_carlo([0.5], [1.0], 5, draws=1000)
    table = bounds.check_all([1.0, 100.0], [M])
    upper = claims.claims(pd.Series([0.0]), table, np.array([0.5]), drawn, M)[3]
    assert upper.verdict == (CONTRADICTED, "0 of 1 bound for all r and m (1 of 2 pairs of the grid)")


def test_claims_are_those_of_the_committed_page():
    page = json.loads((records.committed_folder() / "verdicts-appendix.json").read_text(encoding="utf-8"))["claims"]
    grid = factors.padding_factor(np.array(NORMS)[:, None], ENTRIES)
    drawn = draws.monte_carlo([0.0, 0.5, 1.0], [1.0, 5.0, 27.7, 100.0], M, 4000)
    found = claims.claims(repetition.changes(768), bounds.check_all(NORMS, ENTRIES), grid, drawn, M)
    assert [claim.as_dict() for claim in found] == page
    assert [claim["kind"] for claim in page] == [IN_PRINT] * 4 + [OWN] * 2
