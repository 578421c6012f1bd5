"""The page of Fig. 4: all its claims, in order."""

from made_condensations import made

from decondense.chapters import fig4
from decondense.paper.verdicts import REPRODUCED
from decondense.records import beside_record
from decondense.surveys import Measured


def test_claims_are_those_of_the_start_of_the_runs_and_of_the_check_runs():
    toy = {512: [Measured(made([[0.1, 0.2, 0.3]]), None)] * 2}
    found = fig4.claims({}, ("toy", toy), [], [], beside_record([("loss", 1.0, 1.0, 0.1)]))
    assert [claim.claim.partition(":")[0] for claim in found] == [
        *["Olmo-3-7B at initialisation"] * 2,
        *["every other architecture at initialisation"] * 2,
        "untrained",
        "toy, untrained",
        *["pocket"] * 7,
        *["Olmo-3-7B"] * 4,
        "every check run agrees with its record",
    ]
    assert [claim.verdict.word for claim in found if claim.verdict.word != "not testable here"] == [REPRODUCED] * 2
