"""Claims: as text, as a table whose verdict comes first and nothing is read as HTML, and as the scorecard's file."""

import json
from pathlib import Path

import pandas as pd
import pytest

from decondense.paper import claims
from decondense.paper.verdicts import NOT_REPRODUCED, PARTLY, REPRODUCED, Verdict
from decondense.records import Record, beside_record
from decondense.stats import Interval

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
    said = {"claim": "rho < 0 & | falls", "source": "Fig. 2b", "published": "0.4", "here": "0.5"}
    assert json.loads(path.read_text()) == {
        "notebook": "02_fig2_model_families",
        "profile": "ci",
        "claims": [said | {"tolerance": "> 0.1", "verdict": "partly", "why": "because <b>"}],
        "records": ["a.json", "b.json"],
    }


def test_saved_file_holds_the_numbers_of_the_prose(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    path = claims.save("02_fig2_model_families", "ci", [CLAIM], numbers={"late half": "-0.18"})
    assert json.loads(path.read_text())["numbers"] == {"late half": "-0.18"}


def test_a_claim_of_this_book_needs_no_source():
    own = claims.Claim(claim="c", here="h", rule="r", verdict=Verdict(PARTLY, "w"))
    assert (own.source, own.published) == ("this book", "not stated")


def test_a_row_has_a_cell_for_each_column_and_is_escaped():
    row = claims.cells(CLAIM.as_dict())
    assert row == (
        claims.badge(PARTLY),
        "rho &lt; 0 &amp; | falls<br><small>Fig. 2b</small>",
        "0.4",
        "0.5<br><small>because &lt;b&gt;</small>",
        "&gt; 0.1",
    )
    assert len(row) == len(claims.COLUMNS)
    table = claims.show([CLAIM, CLAIM]).to_html()
    assert [table.count(cell) for cell in row] == [2] * 5
    assert 'class="claims"' in table


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
    assert (claim.verdict.word, claim.here) == (NOT_REPRODUCED, "1 of 3")
    assert claim.verdict.why.endswith("loss, rho")
    assert claims.check_claim(table[:1]).verdict.word == REPRODUCED
