"""Paper against here: the claims as text, as a table with badges, and as the file of the scorecard."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from decondense import models, paper
from decondense.paper import compare, verdicts
from decondense.stats import Interval

ROOT = Path(__file__).parents[2]
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


def test_signed():
    assert compare.signed(pd.Series({"dispersion": 0.656, "l2_repel": -0.004, "none": 12.0})) == (
        "dispersion +0.66; l2_repel -0.00; none +12.00"
    )
    assert compare.signed(pd.Series(dtype=float)) == ""


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
    assert (rho.verdict.word, tau.verdict.word) == (verdicts.REPRODUCED, verdicts.REPRODUCED)
    assert (rho.published, tau.published) == ("0.4 → -0.6", "0.3 → -0.5")
    assert "Spearman ρ" in rho.claim
    back = compare.size_claims("Toy", [falling, condensation], "Fig. 2b", published)
    assert [c.verdict.word for c in back] == [verdicts.NOT_REPRODUCED] * 2


def test_value_claims_compare_only_what_the_paper_shows(condensation):
    measured = [replace(condensation, name="gpt2"), replace(condensation, name="smollm2-135m-instruct")]
    rho, tau = compare.value_claims(measured, "wikitext-103", tolerance=0.7)
    assert (rho.published, rho.here) == ("GPT2 0.385 ± 0.002", "gpt2 1.00 [1.00, 1.00]")
    assert rho.verdict.word == verdicts.REPRODUCED  # 1 - 0.385 is within 0.7
    assert tau.verdict.word == verdicts.NOT_REPRODUCED  # 1 - 0.257 is not
    none = compare.value_claims(measured[1:], "wikitext-103")
    assert [(c.here, c.verdict.word) for c in none] == [("none of them", verdicts.NOT_TESTABLE)] * 2


def test_values_on_a_text_that_the_paper_does_not_show_are_not_testable(condensation):
    found = compare.value_claims([replace(condensation, name="gpt2")], "bible")
    assert [(c.verdict.word, c.why) for c in found] == [
        (verdicts.NOT_TESTABLE, "the paper gives no values for this text")
    ] * 2


def test_a_span_that_reaches_the_embedding_does_not_fit(condensation):
    entries = len(condensation.mu)
    assert compare.fits([condensation], entries - 1)
    assert compare.fits([condensation], None)
    assert not compare.fits([condensation], entries)


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


def test_published_trend_is_put_under_the_rule_with_the_errors_of_reading():
    found = compare.published_trend("Fig2", "GPT2")
    assert found["rho"].startswith("GPT2 on wikitext-103: 0.39 → -0.07 → 0.12 → -0.59, each ± 0.004")
    assert found["rho"].endswith("(by this rule: partly)")  # GPT2-large lies above GPT2-medium
    falling = compare.published_trend("Fig2", "Bloom")["rho"]
    assert falling.endswith("(by this rule: reproduced)")  # 1.000 ± 0.004 and 0.995 ± 0.002 touch: no rise


def test_paired_differences_use_the_same_texts(condensation):
    shifted = replace(condensation, mu_per_text=condensation.mu_per_text + 0.125)
    end, (step,) = compare.paired_differences([condensation, shifted], lambda mu: mu.mean(1))
    assert end == step == pytest.approx((0.125, 0.125))  # what the texts share cancels


def test_depth_claim_takes_the_smallest_of_each_family(condensation):
    falling = replace(condensation, name="large", mu_per_text=condensation.mu_per_text[:, ::-1].copy())
    (found,) = compare.depth_claim({"Toy": [condensation, falling]}, "Fig. 2b")
    assert "GPT2 0.385 ± 0.002" in found.published
    assert "large" not in found.here
    assert found.verdict.word == verdicts.REPRODUCED
    assert compare.depth_claim({"Toy": [falling]}, "Fig. 2b")[0].verdict.word == verdicts.NOT_REPRODUCED
    assert compare.depth_claim({}, "Fig. 2b")[0].verdict.word == verdicts.NOT_TESTABLE


def test_repeat_claims_judge_the_difference_of_two_sets_of_texts(condensation):
    falling = replace(condensation, mu_per_text=condensation.mu_per_text[:, ::-1].copy())
    same = compare.repeat_claims([condensation], [condensation])
    assert [c.verdict.word for c in same] == [verdicts.REPRODUCED] * 2
    other = compare.repeat_claims([condensation], [falling])
    assert [c.verdict.word for c in other] == [verdicts.NOT_REPRODUCED] * 2
    assert [c.verdict.word for c in compare.repeat_claims([], [])] == [verdicts.NOT_TESTABLE] * 2


def test_steps_are_counted_by_their_paired_intervals(condensation):
    mu = condensation.mu_per_text
    falling = replace(condensation, mu_per_text=mu[:, ::-1].copy())
    members = [condensation, falling, falling, condensation]
    found = compare.steps({"toy": members, "one": members[:1]}, {"last 1": 1})
    for metric in ("Spearman ρ", "Kendall τ", "last 1"):
        assert found.loc[metric].to_dict() == {"falls": 1, "rises": 1, "within the uncertainty": 1}


def test_difference_has_a_seeded_interval_around_the_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 50)
    mean, interval = compare.difference(values)
    assert mean == pytest.approx(values.mean())
    assert interval.low < mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.2)
    assert compare.difference(values) == (mean, interval)
    assert compare.difference(values, seed=1)[1] != interval
    assert np.isnan(compare.difference([0.3])[1]).all()


def test_a_check_run_agrees_where_every_quantity_does():
    table = compare.beside_record([("mu", 0.5, 0.51, 0.02), ("loss", 3.0, 3.1, 0.02), ("rho", 1.0, float("nan"), 0.1)])
    assert table.agrees.tolist() == [True, False, False]
    claim = compare.check_claim(table)
    assert (claim.verdict.word, claim.here) == (verdicts.NOT_REPRODUCED, "1 of 3")
    assert claim.why.endswith("loss, rho")
    assert compare.check_claim(table[:1]).verdict.word == verdicts.REPRODUCED
