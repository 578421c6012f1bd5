"""Fig. 4 where it starts: tables and claims of untrained models."""

import numpy as np

from decondense import paper
from decondense.chapters import fig4
from decondense.condensation import Condensation
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.surveys import Measured


def result(mu):
    """A measurement with this mean cosine."""
    mu = np.asarray([mu], dtype=float)
    none = np.zeros(mu.shape[1], dtype=int)
    settings = {"max_length": 8, "seed": 0}
    return Measured(Condensation("toy", mu, mu, None, np.array([8]), none, none, settings), None)


RISES, DIPS = np.linspace(0.1, 0.5, 33), np.r_[np.linspace(0.1, 0.5, 17), np.linspace(0.4, 0.3, 16)]


def test_table_gives_sizes_spread_and_falls():
    found = {"gpt2": [result([0.1, 0.3, 0.2]), result([0.2, 0.4, 0.4])], "qwen3-4b": [result([0.1, 0.5, 0.6])]}
    table = fig4.table(found)
    assert table.loc["gpt2"].tolist() == [
        12, 768, "0.683 [0.500, 0.866]", "0.575 [0.333, 0.816]",
        "0.150 [0.100, 0.200]", "0.300 [0.200, 0.400]", "1 of 2",
    ]  # fmt: skip
    assert table.loc["qwen3-4b"].tolist() == [36, 2560, "1.000", "1.000", "0.100", "0.600", "0 of 2"]


def verdicts(found):
    return [claim.verdict.word for claim in fig4.untrained_claims(found)]


def test_claims_where_all_rise():
    found = {"olmo-3-7b": [result(RISES)] * 3, "gpt2": [result(RISES)], "gpt2-xl": [result(RISES + 0.1)]}
    claims = fig4.untrained_claims(found)
    assert [claim.verdict.word for claim in claims] == [REPRODUCED] * 5
    assert claims[0].published == f"{paper.training_run().spearman[0]:.3f} ± 0.004"
    assert claims[0].here == "1.000 [1.000, 1.000]"
    assert claims[4].here == "GPT2 +0.10"


def test_claims_where_some_do_not():
    found = {"olmo-3-7b": [result(DIPS)], "gpt2": [result(RISES)], "gpt2-xl": [result(DIPS)]}
    assert verdicts(found) == [NOT_REPRODUCED, NOT_REPRODUCED, PARTLY, PARTLY, NOT_REPRODUCED]


def test_claims_of_what_was_not_measured_are_not_testable():
    assert verdicts({}) == [NOT_TESTABLE] * 5
    assert verdicts({"gpt2": [result(RISES)]}) == [NOT_TESTABLE] * 2 + [REPRODUCED] * 2 + [NOT_TESTABLE]


def test_repetition_is_a_row_a_count():
    found = {2: [result([0.5, 0.4, 0.3]), result([0.5, 0.3, 0.4])], 512: [result([0.1, 0.2, 0.3])]}
    table = fig4.repetition(found)
    assert table.loc[2].tolist() == [
        "-0.750 [-1.000, -0.500]", "-0.667 [-1.000, -0.333]", "0.500 [0.500, 0.500]", "0.350 [0.300, 0.400]",
        "0.350 [0.300, 0.400]",
    ]  # fmt: skip
    assert table.loc[512].tolist() == ["1.000", "1.000", "0.100", "0.200", "0.300"]
    claim = fig4.repetition_claim("toy", found)
    assert claim.here == "2 -0.75; 512 1.00"
    assert claim.verdict.word == PARTLY
    assert fig4.repetition_claim("toy", {2: found[2]}).verdict.word == NOT_REPRODUCED
    assert fig4.repetition_claim("toy", {512: found[512]}).verdict.word == REPRODUCED
    assert fig4.repetition_claim("toy", {}).verdict.word == NOT_TESTABLE
