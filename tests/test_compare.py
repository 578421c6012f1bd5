"""Paper against here: the claims as text, as a table with badges, and as the file of the scorecard."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import unchecked

from decondense import compare, models, paper, verdicts
from decondense.condensation import Interval

ROOT = Path(__file__).parents[1]
VERDICTS = (verdicts.REPRODUCED, verdicts.PARTLY, verdicts.NOT_REPRODUCED, verdicts.NOT_TESTABLE)


def claim(verdict):
    return compare.Claim("mu grows", "Fig. 2b", "0.39", "0.40 [0.35, 0.45]", "0.1", verdict, "because")


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
    assert compare.number(*arguments) == text


def test_numbers():
    assert compare.numbers([0.3853, -0.59]) == "0.385, -0.590"


def test_saved_file_holds_claims_and_sorted_records(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    records = [compare.Record(tmp_path / name, {}, None) for name in ("b.json", "a.json", "b.json")]
    path = compare.save("02_fig2_model_families", "ci", [claim(verdicts.PARTLY)], records)
    assert path == tmp_path / "verdicts-fig2.json"
    assert json.loads(path.read_text()) == {
        "notebook": "02_fig2_model_families",
        "profile": "ci",
        "claims": [claim(verdicts.PARTLY)._asdict()],
        "records": ["a.json", "b.json"],
    }


@pytest.mark.parametrize("verdict", VERDICTS)
def test_badge_has_a_class_that_the_style_sheet_defines(verdict):
    html = compare.show([claim(verdict)]).to_html()
    (badge,) = re.findall(r'<span class="verdict (verdict-[a-z-]+)">' + verdict, html)
    assert re.search(rf"\.{badge}\s*{{", (ROOT / "book/_static/book.css").read_text())
    assert "<small>because</small>" in html
    assert "0.40 [0.35, 0.45]" in html


def test_table_has_a_row_a_claim():
    assert compare.show([claim(v) for v in VERDICTS]).to_html().count('class="verdict ') == 4


def test_size_claims_judge_rho_and_tau(condensation):
    falling = replace(condensation, name="large", mu_per_text=condensation.mu_per_text[:, ::-1].copy())
    published = {"rho": "0.4 → -0.6", "tau": "0.3 → -0.5"}
    rho, tau = compare.size_claims("Toy", [condensation, falling], "Fig. 2b", published)
    assert rho.here == "1.00 [1.00, 1.00] → -1.00 [-1.00, -1.00]"
    assert (rho.verdict, tau.verdict) == (verdicts.REPRODUCED, verdicts.REPRODUCED)
    assert (rho.published, tau.published) == ("0.4 → -0.6", "0.3 → -0.5")
    assert "Spearman ρ" in rho.claim
    back = compare.size_claims("Toy", [falling, condensation], "Fig. 2b", published)
    assert [c.verdict for c in back] == [verdicts.NOT_REPRODUCED] * 2


def test_value_claims_compare_only_what_the_paper_shows(condensation):
    measured = [replace(condensation, name="gpt2"), replace(condensation, name="smollm2-135m-instruct")]
    rho, tau = compare.value_claims(measured, "Fig2", "wikitext-103", tolerance=0.7)
    assert (rho.published, rho.here) == ("GPT2 0.39", "gpt2 1.00")
    assert rho.verdict == verdicts.REPRODUCED  # 1 - 0.385 is within 0.7
    assert tau.verdict == verdicts.NOT_REPRODUCED  # 1 - 0.257 is not
    none = compare.value_claims(measured[1:], "Fig2", "wikitext-103")
    assert [(c.here, c.verdict) for c in none] == [("none of them", verdicts.NOT_TESTABLE)] * 2


def test_names_in_the_paper_are_those_of_its_figure():
    shown = set(paper.table("figure_points").model)
    names = [entry["in_paper"] for entry in models.table().values() if "in_paper" in entry]
    assert len(names) == len(set(names))
    assert set(names) <= shown
    for family in compare.PAPER_FAMILIES:
        ours = [compare.paper_name(name) for name in models.names(family)]
        assert ours == list(paper.trend("Fig2", "spearman", family).model)
    assert compare.paper_name("smollm2-135m-instruct") is None
    assert compare.paper_name("no-such-model") is None


def test_published_trend_is_put_under_the_same_rule():
    found = compare.published_trend("Fig2", "GPT2")
    assert found["rho"].startswith("0.39 → -0.07 → ")
    values = paper.trend("Fig2", "spearman", "GPT2")
    intervals = [Interval(v - e, v + e) for v, e in zip(values.value, values.error, strict=True)]
    assert f"(the same rule: {verdicts.falls_with_size(list(values.value), intervals).verdict})" in found["rho"]


def test_depth_claim_shows_the_smallest_of_each_family(condensation):
    (found,) = compare.depth_claim([condensation], "Fig. 2b")
    assert "smallest GPT2 0.39" in found.published
    assert found.verdict == verdicts.REPRODUCED
    assert compare.depth_claim([], "Fig. 2b")[0].verdict == verdicts.NOT_TESTABLE


def test_steps_are_counted_by_their_intervals():
    def result(low, high):
        interval = Interval(low, high)
        return SimpleNamespace(rho=low, tau=low, rho_interval=interval, tau_interval=interval,
                               mean_of_last=lambda k: (1 - low, Interval(1 - high, 1 - low)))  # fmt: skip

    members = [result(0.8, 0.9), result(0.1, 0.2), result(0.15, 0.3), result(0.5, 0.6)]
    found = unchecked(compare.steps)({"toy": members, "one": members[:1]}, {"last 1": 1})
    assert found.loc["ρ"].to_dict() == {"falls": 1, "rises": 1, "within the uncertainty": 1}
    assert found.loc["last 1"].to_dict() == {"falls": 1, "rises": 1, "within the uncertainty": 1}
    assert list(found.index) == ["ρ", "τ", "last 1"]


def test_difference_has_a_seeded_interval_around_the_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 50)
    mean, interval = compare.difference(values)
    assert mean == pytest.approx(values.mean())
    assert interval.low < mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.2)
    assert compare.difference(values) == (mean, interval)
    assert compare.difference(values, seed=1)[1] != interval
    assert np.isnan(compare.difference([0.3])[1]).all()
