"""Claims: as text, as a table whose verdict comes first and nothing is read as HTML, and as the scorecard's file."""

import json
from pathlib import Path

import pandas as pd
import pytest

from decondense.paper import claims
from decondense.paper.verdicts import (
    CANNOT_TELL,
    CONTRADICTED,
    PARTLY,
    REPRODUCED,
    Verdict,
    effect,
    no_change,
    not_testable,
)
from decondense.records import Record, beside_record
from decondense.stats import Interval, mean_and_interval

CSS = (Path(__file__).parents[2] / "book" / "_static" / "book.css").read_text()
CLAIM = claims.Claim(
    claim="rho < 0 & | falls",
    source="Fig. 2b",
    published="0.4",
    here="0.5",
    rule="> 0.1",
    verdict=Verdict(PARTLY, "because <b>"),
)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.3853,), "0.39"),
        ((0.3853, Interval(0.306, 0.441)), "0.39 [0.31, 0.44]"),
        ((0.3853, None, 0.002), "0.385 ± 0.002"),
        ((0.3853, Interval(float("nan"), float("nan"))), "0.39"),
        ((-0.07,), "-0.07"),
    ],
)
def test_number(arguments, text):
    assert claims.number(*arguments) == text


def test_several_numbers():
    assert claims.numbers([0.3853, -0.59]) == "0.385, -0.590"
    assert claims.signed(pd.Series({"dispersion": 0.656, "l2_repel": -0.004, "none": 12.0})) == (
        "dispersion +0.66; l2_repel -0.00; none +12.00"
    )
    assert (
        claims.chain([0.5, 0.25], [Interval(0.4, 0.6), Interval(0.2, 0.3)]) == "0.50 [0.40, 0.60] → 0.25 [0.20, 0.30]"
    )


def test_saved_file_holds_claims_and_sorted_records(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    records = [Record(tmp_path / name, {}, None) for name in ("b.json", "a.json", "b.json")]
    path = claims.save("02_fig2_model_families", "ci", [CLAIM], records)
    assert path == tmp_path / "verdicts-fig2.json"
    said = {"claim": "rho < 0 & | falls", "kind": "experiment", "source": "Fig. 2b", "published": "0.4", "here": "0.5"}
    assert json.loads(path.read_text()) == {
        "notebook": "02_fig2_model_families",
        "profile": "ci",
        "claims": [
            said | {"rule": "> 0.1", "power": "", "tests": 0, "repeats": "", "verdict": "partly", "why": "because <b>"}
        ],
        "records": ["a.json", "b.json"],
    }


def test_a_claim_of_this_book_needs_no_source():
    own = claims.Claim(claim="c", here="h", rule="r", verdict=Verdict(PARTLY, "w"))
    assert (own.source, own.published) == ("this book", "not stated")
    assert own.as_dict()["kind"] == claims.OWN


# --- judged -----------------------------------------------------------------------------------------------------------


def asked(values, smallest=1.0, **more):
    return claims.Claim(claim="c", here="h", verdict=[effect(mean_and_interval(values), smallest, "published")], **more)


def test_the_claims_of_a_page_are_judged_together_and_keep_their_order():
    firm, doubtful = asked([5.0, 5.1, 4.9, 5.0]), asked([0.3, 1.2, 1.6, 0.7])
    alone, _ = claims.judged([doubtful, CLAIM])
    assert alone.verdict.word == REPRODUCED
    page = [doubtful, CLAIM, firm, asked([-2.0, 2.0, 0.5, 0.1])]
    found = claims.judged(page)
    assert [claim.verdict.word for claim in found] == [CANNOT_TELL, PARTLY, REPRODUCED, CANNOT_TELL]
    assert found[1].rule == CLAIM.rule


def test_a_row_says_what_was_asked_and_what_such_a_sample_would_find():
    (found,) = claims.judged([asked([0.5, 1.5, 1.0], rule="over all tasks")])
    assert found.rule == "over all tasks; smallest effect that counts +1: published"
    assert found.power == "3 seeds find 1.6 with a chance of 80%"
    assert found.tests == 1
    tests = [
        no_change(mean_and_interval([0.1, 0.2]), 0.5, "a tenth"),
        no_change(mean_and_interval([0.0, 0.0]), 0.5, "a tenth"),
    ]
    (pair,) = claims.judged([claims.Claim(claim="c", here="h", verdict=tests)])
    assert pair.rule == "within ±0.5: a tenth"
    assert pair.power.endswith("; 2 seeds: no spread, so no power is known")


def test_what_needs_no_sample_says_so():
    missing = claims.Claim(claim="c", here="h", verdict=not_testable("no hub"))
    exact, none = claims.judged([CLAIM, missing])
    assert (exact.power, none.power) == ("exact: nothing is sampled", "none here")


def test_a_claim_that_was_not_judged_is_not_saved():
    with pytest.raises(ValueError, match="'c' was not judged"):
        asked([0.5, 1.5]).as_dict()


def test_a_row_has_a_cell_for_each_column_and_is_escaped():
    row = claims.cells(CLAIM.as_dict())
    assert row == (
        claims.badge(PARTLY),
        "rho &lt; 0 &amp; | falls<br><small>Fig. 2b</small>",
        "0.4",
        "0.5<br><small>because &lt;b&gt;</small>",
        "&gt; 0.1<br><small></small>",
    )
    assert len(row) == len(claims.COLUMNS)
    table = claims.show([CLAIM, CLAIM]).to_html()
    assert [table.count(cell) for cell in row] == [2] * 5
    assert 'class="claims"' in table


def test_a_claim_that_repeats_another_says_which():
    row = claims.cells(CLAIM.as_dict() | {"repeats": "rho & co"})
    assert row[1].endswith("<small>Fig. 2b</small><br><small>not counted: it repeats <i>rho &amp; co</i></small>")


def test_every_verdict_has_a_badge_that_the_style_sheet_knows():
    for verdict, css in claims.BADGES.items():
        assert claims.badge(verdict) == f'<span class="verdict {css}">{verdict}</span>'
        assert claims.badge(verdict, 3) == (
            f'<span class="verdict {css}" title="{verdict}" aria-label="3 {verdict}">3</span>'
        )
        assert f".{css} " in CSS


def test_on_a_narrow_screen_the_style_sheet_says_what_each_cell_is():
    for number, name in enumerate(claims.COLUMNS, start=1):
        if number > 2:  # a badge and a claim need no label
            assert f'table.claims td:nth-child({number})::before {{ content: "{name}: "; }}' in CSS


def test_a_check_run_agrees_where_every_quantity_does():
    table = beside_record([("mu", 0.5, 0.51, 0.02), ("loss", 3.0, 3.1, 0.02), ("rho", 1.0, float("nan"), 0.1)])
    claim = claims.check_claim(table)
    assert (claim.verdict.word, claim.here) == (CONTRADICTED, "1 of 3")
    assert claim.verdict.why.endswith("loss, rho")
    assert claims.check_claim(table[:1]).verdict.word == REPRODUCED
