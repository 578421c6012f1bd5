"""Fig. 5 as data and as claims: the pairs exist, the rule has a case for every verdict."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import NO_CHECK, Known, committed

from decondense import corpora, measurement, models, records
from decondense.chapters import fig5
from decondense.chapters.fig5 import PAIRS, pair_claims, profile_distance, published
from decondense.condensation import Condensation
from decondense.corpora import streams
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.records import Record
from decondense.runs import PreTraining
from decondense.runs.run import Run


def test_pairs_are_of_known_models():
    assert [pair.plain for pair in PAIRS[:2]] == models.names("not distilled")
    assert [pair.distilled for pair in PAIRS] == models.names("distilled")
    assert all(models.table()[pair.plain]["hub"].startswith("Qwen/Qwen2.5-") for pair in PAIRS)


def test_published_is_the_figure():
    table = published().set_index(["metric", "size"])
    assert len(table) == 8
    last = table.loc[("Spearman ρ", "32B")]
    assert (last["not distilled"], last["distilled"]) == (0.1195, 0.3505)
    assert last["difference"] == pytest.approx(0.231)
    assert (table["error"] == 0.004).all()
    assert (table["difference"] < 0).sum() == 3  # rho of 7B, tau of 1.5B and 7B


def result(condensation, name, shift):
    """The toy result under another name, with mu of the last entry moved."""
    mu = condensation.mu_per_text.copy()
    mu[:, -1] += shift
    return replace(condensation, name=name, mu_per_text=mu)


def test_pair_claims_are_of_the_pairs_that_were_measured(condensation):
    first, second = PAIRS[:2]
    results = [result(condensation, first.plain, 0.0), result(condensation, first.distilled, -1.0)]
    results += [result(condensation, second.plain, 0.0), result(condensation, "gpt2", 0.0)]
    assert list(fig5.measured(results)) == ["1.5B"]
    for claim in pair_claims(results):
        assert claim.verdict.word == NOT_REPRODUCED
        assert claim.here.startswith("1.5B [-")
    same = [result(condensation, name, 0.0) for name in (second.plain, second.distilled)]
    assert {claim.verdict.word for claim in pair_claims(same)} == {REPRODUCED}
    both = pair_claims(results[:2] + same)
    assert {claim.verdict.word for claim in both} == {PARTLY}
    assert "7B [+0.000, +0.000]" in both[0].here


def test_without_models_the_claims_are_not_testable():
    rho, tau = pair_claims([])
    assert (rho.verdict.word, tau.verdict.word) == (NOT_TESTABLE, NOT_TESTABLE)
    assert (rho.here, rho.source) == ("none of them", "Fig. 5b")
    assert rho.published.startswith(
        "1.5B +0.000; 7B -0.034; 14B +0.078; 32B +0.231, each ± 0.004 (by this rule: partly"
    )
    assert "1.5B -0.010; 7B -0.025" in tau.published
    assert (rho.claim, tau.claim) == ("distilled models: Spearman ρ not lower", "distilled models: Kendall τ not lower")


def test_profile_distance():
    student, teacher = np.array([0.9, 0.2, 0.4]), np.array([0.0, 0.1, 0.1, 0.5, 0.7])
    assert profile_distance(student, teacher) == pytest.approx((0.1 + 0.3) / 2)  # entries 1 - 2 and 2 - 4
    assert profile_distance(student, student) == 0


def student(**distillation):
    asked = {"texts": 3, "text_length": 24, "held_out": 4, "length": 16, "steps": 2, "batch_size": 2, "checkpoints": 1}
    shape = {"architecture": "GPT2Config", "n_embd": 8, "n_layer": 1, "n_head": 1}
    config = PreTraining(
        experiment="fig5", shape=shape, corpus="documentation", sources=[], train_tokens=256, seed=5, **asked,
        distillation=distillation or None,
    )  # fmt: skip
    return Run("logits", 5, Record(Path("none"), {"config": config.as_dict(), "results": {}}, None))


def test_the_teacher_is_measured_on_the_windows_of_its_students(small_pocket, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    found = fig5.teacher_of(student(teacher="pocket-medium"))
    teacher = models.load("pocket-medium", train_tokens=256)
    held_out = streams.stream(corpora.load("documentation"), teacher.tokenizer).held_out
    windows = streams.spread(held_out, 3, 24)
    expected = measurement.measure(teacher.model, None, windows, max_length=24, progress=False)
    np.testing.assert_array_equal(found.condensation.mu_per_text, expected.mu_per_text)
    assert found.record.path.name.startswith("fig5-teacher-pocket-medium-seed0-")
    monkeypatch.setattr(fig5, "_look", lambda _: pytest.fail("measured again"))
    again = fig5.teacher_of(student(teacher="pocket-medium", kind="hidden"))
    assert again.record.path == found.record.path


def test_a_run_without_a_teacher_is_refused():
    with pytest.raises(ValueError, match="The run 'logits' had no teacher"):
        fig5.teacher_of(student())


# --- students ---------------------------------------------------------------------------------------------------------


def taught(condensation, **kinds):
    """Two seeds of each kind: what is added to the mean cosine of the last entry, and the last divergence logged."""
    runs = []
    for label, (shift, divergence) in {"cross-entropy": (0.0, 2.0), **kinds}.items():
        for seed in (0, 1):
            look = result(condensation, label, shift + 0.001 * seed)
            curve = pd.DataFrame({"loss_distillation": [9.0, divergence + 0.01 * seed]})
            known = {"mu": look.mu[None], "curve": curve, "validation_loss": 3.0, "look": lambda look=look: look}
            runs.append(Known(label, seed, **known))
    return runs


KINDS = {"logits": (0.0, 1.0), "logits + dispersion": (-0.5, 1.0), "hidden states": (0.5, 1.0)}


def test_students_are_compared_with_those_that_saw_the_text_alone(condensation):
    teacher = result(condensation, "teacher", 0.5)
    found = fig5.compared(taught(condensation, **KINDS), teacher)
    assert list(found) == list(KINDS)
    assert found["logits"]["ρ"].mean == 0
    assert found["hidden states"]["to the teacher"].mean == pytest.approx(-0.5 / 4, abs=1e-3)
    table = fig5.in_words(found, teacher)
    assert list(table.index) == [*KINDS, "teacher itself"]
    late = f"{teacher.mu[3:].mean():.3f}"  # of 5 entries
    assert table.loc["teacher itself"].tolist() == [f"{teacher.rho:.3f}", f"{teacher.tau:.3f}", late, "", ""]
    assert table.loc["hidden states", "to the teacher"].startswith("-0.125 [")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [REPRODUCED] * 7),
        ({"logits": (-1.0, 3.0)}, [NOT_REPRODUCED] * 2 + [REPRODUCED] * 2 + [NOT_REPRODUCED] * 2 + [REPRODUCED]),
        ({"hidden states": (-1.0, 1.0)}, [REPRODUCED] * 2 + [NOT_REPRODUCED] * 2 + [REPRODUCED] * 2 + [NOT_REPRODUCED]),
    ],
)
def test_verdicts(condensation, changed, expected):
    runs = taught(condensation, **KINDS | changed)
    claims = fig5.claims([], runs, result(condensation, "teacher", 0.5), NO_CHECK)
    assert [claim.verdict.word for claim in claims[2:9]] == expected
    assert claims[9].claim == "every check run agrees with its record"


def test_committed_runs_give_the_committed_verdicts():
    logits = {"teacher": "pocket-medium", "kind": "logits", "share": 0.5, "temperature": 2.0}
    changes = {
        "cross-entropy": {"distillation": logits | {"share": 0.0}},
        "logits": {"distillation": logits},
        "logits + dispersion": {"distillation": logits, "loss": "dispersion"},
        "hidden states": {"distillation": logits | {"kind": "hidden", "temperature": None}},
    }
    runs, said, (teacher,) = committed("fig5", changes)
    claims = fig5.claims([], runs, Condensation.load(teacher.arrays), NO_CHECK)
    assert [claim.as_dict() for claim in claims][:9] == said[:9]
