"""Students beside those that saw the text alone."""

import numpy as np
import pytest
from made_students import KINDS, result, taught

from decondense.chapters.fig5 import students


def test_profile_distance():
    student, teacher = np.array([0.9, 0.2, 0.4]), np.array([0.0, 0.1, 0.1, 0.5, 0.7])
    assert students.profile_distance(student, teacher) == pytest.approx((0.1 + 0.3) / 2)  # entries 1 - 2 and 2 - 4
    assert students.profile_distance(student, student) == 0


def test_kinds_differ_in_what_they_learn_from():
    found = students.kinds("pocket-medium", share=0.5, temperature=2.0, weight=0.1)
    assert list(found) == [students.BASELINE, "logits", "logits + dispersion", "hidden states"]
    assert found["logits"]["distillation"] == {
        "teacher": "pocket-medium", "kind": "logits", "share": 0.5, "temperature": 2.0
    }  # fmt: skip
    assert found[students.BASELINE]["distillation"]["share"] == 0
    assert found["hidden states"]["distillation"]["temperature"] is None
    assert (found["logits + dispersion"]["loss"], found["logits + dispersion"]["weight"]) == ("dispersion", 0.1)


def test_students_are_compared_with_those_that_saw_the_text_alone(condensation):
    teacher = result(condensation, "teacher", 0.5)
    found = students.compared(taught(condensation, **KINDS), teacher)
    assert list(found) == list(KINDS)
    assert found["logits"]["ρ"].value == 0
    assert found["hidden states"]["to the teacher"].value == pytest.approx(-0.5 / 4, abs=1e-3)
    table = students.in_words(found, teacher)
    assert list(table.index) == [*KINDS, "teacher itself"]
    late = f"{teacher.mu[3:].mean():.3f}"  # of 5 entries
    assert table.loc["teacher itself"].tolist() == [f"{teacher.rho:.3f}", f"{teacher.tau:.3f}", late, "", ""]
    assert table.loc["hidden states", "to the teacher"].startswith("-0.125 [")
