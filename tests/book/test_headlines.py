"""The paper in seven claims: each finds its claims in the committed run; what is shown of them."""

from pathlib import Path

import pytest

from decondense.book import headlines, numbers, scorecard

COMMITTED = scorecard.read_committed(Path(__file__).parents[2] / "book" / "results")
CLAIM = {
    "claim": "rho falls",
    "source": "Fig. 2b",
    "published": "0.4 → 0.3 → 0.2, each ± 0.004",
    "verdict": "reproduced",
}
CLAIM |= {"here": "a < 0.5; b 0.6", "power": "5 seeds find 0.1 with a chance of 80%"}
FILE = {"02_fig2_x": {"profile": "ci", "claims": [CLAIM]}}


@pytest.fixture
def one(monkeypatch):
    claims = [{"page": "fig2", "claim": "rho falls", "of": "ρ", "part": "a"}]
    monkeypatch.setattr(headlines, "table", lambda: [{"says": "It falls", "claims": claims}])


def test_seven_headlines_find_their_claims_in_the_committed_run():
    assert len(headlines.table()) == 7
    made = headlines.shown({}, COMMITTED)
    wanted = [claim for headline in headlines.table() for claim in headline["claims"]]
    assert made.count("<small>the committed run</small>") == len(wanted)
    assert made.count("rowspan") == 7


def test_a_headline_shows_verdict_part_ends_of_the_series_and_power(one):
    made = headlines.shown(FILE, FILE)
    assert "the committed run" not in made
    assert '<td rowspan="1">It falls</td><td><span class="verdict verdict-reproduced">reproduced</span></td>' in made
    assert "<td><i>ρ</i><br>a &lt; 0.5</td>" in made
    assert '<td>0.4 → … → 0.2<br><small><a href="../notebooks/02_fig2_x.html">Fig. 2b</a></small></td>' in made
    assert "<td>0.1 (5 seeds)</td>" in made


def test_a_claim_of_neither_run_is_an_error(one):
    other = {"02_fig2_x": FILE["02_fig2_x"] | {"claims": [CLAIM | {"claim": "rho rises"}]}}
    assert "the committed run" in headlines.shown(other, FILE)
    with pytest.raises(ValueError, match=r"claim of fig2 \(0 begin so\) 'rho falls'"):
        headlines.shown(other, other)


def test_without_a_committed_run_it_says_so():
    assert headlines.shown({}, {}) == numbers.NO_RUN


@pytest.mark.parametrize(
    ("power", "short"),
    [
        ("5 seeds find 0.54 with a chance of 80%", "0.54 (5 seeds)"),
        ("10 texts find 0.1 with a chance of 80%; 10 texts find 0.2 with a chance of 80%", "0.1, 0.2 (10 texts)"),
        ("3 seeds find 1 with a chance of 80%; 9 texts find 2 with a chance of 80%", "1 (3 seeds); 2 (9 texts)"),
        ("exact: nothing is sampled", "exact: nothing is sampled"),
        ("3 seeds: no spread, so no power is known; 3 seeds find 1 with a chance of 80%",) * 2,
    ],
)
def test_power_in_short(power, short):
    assert headlines.seen(power) == short
