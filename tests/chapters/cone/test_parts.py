"""Numbers asked of the controls: values, intervals over the texts, differences on the same texts."""

import numpy as np
import pytest

from decondense.chapters.cone import parts


@pytest.mark.parametrize(("place", "entries"), [("middle", [1]), ("late half", [2]), ("last", [2])])
def test_a_place_is_an_entry_or_a_mean_of_them(made, place, entries):
    controls = made.result(shared=1.0).controls
    found = parts.estimate([(controls, "between", 1.0)], place)
    assert found.value == pytest.approx(controls["between"][entries].mean())
    assert (found.units, found.unit) == (8, "texts")


def test_the_late_half_of_five_entries_is_the_last_two():
    assert parts.PLACES["late half"](np.arange(10.0).reshape(2, 5)).tolist() == [3.5, 8.5]
    assert parts.PLACES["middle"](np.arange(5.0)) == 2


def test_the_interval_is_that_of_the_texts(made):
    controls = made.result(shared=0.5, own=0.5).controls
    for name in ("within", "between", "excess", "between_centred"):
        found = parts.estimate([(controls, name, 1.0)], "middle")
        low, high = (end[1] for end in controls.interval(name))
        assert found.interval.low == pytest.approx(low, abs=0.25 * (high - low))
        assert found.interval.high == pytest.approx(high, abs=0.25 * (high - low))
        assert found.draws.shape[0] == 2


def test_a_difference_is_taken_on_the_same_texts(made):
    one = made.result(shared=1.0, own=1.0).controls
    found = parts.estimate([(one, "within", 1.0), (one, "between", -1.0), (one, "excess", -1.0)], "middle")
    assert found.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.interval, 0, atol=1e-12)


def test_other_texts_are_refused(made):
    pair = [(made.result(texts=texts).controls, "within", 1.0) for texts in (5, 6)]
    with pytest.raises(ValueError, match=r"same texts are needed, got \[5, 6\] texts"):
        parts.estimate(pair, "last")


def test_of_many_texts_the_units_are_groups(made):
    assert parts.estimate([(made.result(texts=130).controls, "within", 1.0)], "last").units == 64


def test_too_few_pairs_give_no_interval(made):
    controls = made.result(texts=3).controls
    assert np.isfinite(parts.estimate([(controls, "within", 1.0)], "middle").interval).all()
    assert np.isnan(parts.estimate([(controls, "between_centred", 1.0)], "middle").interval).all()


def test_what_is_shared_by_all_texts_and_what_by_one(made):
    assert parts.shared_beyond_own(made.result(shared=2.0), "last").value > 0.5
    assert parts.shared_beyond_own(made.result(own=2.0), "last").value < -0.5


def test_the_tables_have_a_row_a_model(made):
    results = {"a": made.result(shared=1.0), "b": made.result(own=1.0)}
    words, numbers = parts.table(results, "middle", ["within", "excess"]), parts.middle(results, ["within", "excess"])
    assert words.index.tolist() == numbers.index.tolist() == ["a", "b"]
    for name, row in numbers.iterrows():
        assert words.loc[name, "within"].startswith(f"{row.within:+.2f} [")
