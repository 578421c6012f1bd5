"""The control of precision: shifts of results made up here, and of a model rounded here."""

from pathlib import Path

import numpy as np
import pytest
from made_condensations import made

from decondense import surveys
from decondense.records import Record
from decondense.surveys import Measured, Survey, quantisation

LOADED = [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]]
ROUNDED = [[0.1, 0.2, 0.4, 0.3], [0.1, 0.2, 0.4, 0.3]]  # rho 0.8, tau 2/3; the late half as before
HIGHER = [[0.1, 0.2, 0.35, 0.45], [0.1, 0.2, 0.35, 0.45]]  # the late half 0.05 higher


def measured(mu, model="a"):
    return Measured(made(mu, model), Record(Path(f"{model}.json"), {"config": {"model": model}}, None))


CONTROL = {
    "a": {None: measured(LOADED), 5: measured(LOADED), 4: measured(HIGHER)},
    "b": {None: measured(LOADED, "b"), 5: measured(HIGHER, "b"), 4: measured(ROUNDED, "b")},
}


def test_table_has_a_row_a_model_and_number_of_bits_with_its_shifts():
    table = quantisation.table(CONTROL)
    assert table[["model", "bits"]].to_numpy().tolist() == [["a", 5], ["a", 4], ["b", 5], ["b", 4]]
    assert table["Δρ"].tolist() == ["+0.000 [+0.000, +0.000]"] * 3 + ["-0.200 [-0.200, -0.200]"]
    assert table["Δτ"].iloc[3] == "-0.333 [-0.333, -0.333]"
    assert table["Δlate μ"].tolist() == [
        "+0.000 [+0.000, +0.000]", "+0.050 [+0.050, +0.050]", "+0.050 [+0.050, +0.050]", "+0.000 [+0.000, +0.000]",
    ]  # fmt: skip
    assert table["ρ"].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("bits", "late", "rho", "tau"),
    [(None, 0.05, 0.2, 1 / 3), ((5,), 0.05, 0, 0), ((4, 3), 0.05, 0.2, 1 / 3), ([5, 4], 0.05, 0.2, 1 / 3)],
)
def test_largest_shift_is_over_models_at_these_bits(bits, late, rho, tau):
    found = quantisation.largest_shift(CONTROL, bits)
    assert found == pytest.approx({"late half": late, "rho": rho, "tau": tau})


def test_largest_shift_reaches_to_the_end_of_the_interval():
    control = {"a": {None: measured([LOADED[0]] * 6), 4: measured([LOADED[0]] * 5 + [[0.1, 0.2, 0.5, 0.6]])}}
    shift = dict(zip(("late half", "rho", "tau"), next(quantisation.shifts(control))[2], strict=True))["late half"]
    assert shift.difference == pytest.approx(0.2 / 6)
    assert quantisation.largest_shift(control)["late half"] == shift.interval[1] > shift.difference


def test_one_text_has_no_interval_and_the_shift_itself_counts():
    control = {"a": {None: measured(LOADED[:1]), 4: measured(HIGHER[:1])}}
    assert quantisation.largest_shift(control)["late half"] == pytest.approx(0.05)


def test_sentence_has_the_largest_shifts():
    said = "The largest shift at 5 or 4 bits that is compatible with these texts: late μ 0.050, ρ 0.200, τ 0.333."
    assert quantisation.sentence(CONTROL, [5, 4]) == said


@pytest.mark.parametrize("control", [{}, CONTROL, {"a": {None: measured(LOADED)}}])
def test_nothing_measured_has_no_largest_shift(control):
    with pytest.raises(ValueError, match=r"^No model was measured at \[3\] bits"):
        quantisation.largest_shift(control, [3])


def test_records_of_are_all_and_stored_says_how_packed_weights_were_stored():
    about = {"model": "a", "bits_per_weight": 6.17, "weight_types": {"Q5_0": 0.7, "Q8_0": 0.299, "F32": 0.001}}
    packed, plain = (Record(Path("x"), {"results": {"model": model}}, None) for model in (about, {"model": "b"}))
    table = quantisation.stored([packed, plain])
    assert table.to_numpy().tolist() == [["a", 6.17, "70% Q5_0, 30% Q8_0"]]
    assert quantisation.stored([]).columns.tolist() == ["model", "bits a weight", "types"]
    assert [record.path.stem for record in quantisation.records_of(CONTROL)] == ["a"] * 3 + ["b"] * 3


def test_control_measures_each_model_as_loaded_and_at_all_bits(monkeypatch):
    def survey(names, corpus, *, bits, **how):
        asked.append((names, corpus, bits, how))
        return Survey({"one": [measured(LOADED, "a")], "other": [measured(LOADED, "b")]}, {"c": "not here"})

    asked = []
    monkeypatch.setattr(surveys, "survey", survey)
    found = quantisation.control(["a", "b", "c"], [8, 4], "text", seed=3)
    assert {name: list(by_bits) for name, by_bits in found.items()} == {"a": [None, 8, 4], "b": [None, 8, 4]}
    assert asked == [(["a", "b", "c"], "text", bits, {"seed": 3}) for bits in (None, 8, 4)]


def test_a_real_model_moves_more_with_fewer_bits():
    how = {"n_texts": 2, "max_length": 32, "dtype": "float32", "weights": "random", "sources": ["local"]}
    found = quantisation.control(["pocket-small"], [8, 2], "documentation", **how)["pocket-small"]
    configs = [found[bits].record.content["config"] for bits in (None, 8, 2)]
    assert ["bits" in config for config in configs] == [False, True, True]
    assert [found[bits].condensation.name for bits in (None, 8)] == ["pocket-small", "pocket-small at 8 bits"]
    assert found[2].record.content["results"]["model"]["rounded_to_bits"] == 2
    moved = [np.abs(found[bits].condensation.mu - found[None].condensation.mu).max() for bits in (8, 2)]
    assert 0 < moved[0] < 0.1 * moved[1]
