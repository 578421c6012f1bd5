"""Targets held against records that are written out."""

import pytest
from made_benchmarks import every, loss, measured

from decondense.base import timing
from decondense.bench import losses, measurement, targets
from decondense.bench.measurement import OURS, THEIRS


@pytest.fixture
def records():
    return every()


def test_beyond_is_what_the_forward_pass_of_the_same_side_leaves(records):
    seconds, memory = measurement.beyond(records[0])
    assert seconds.iloc[0].to_dict() == dict.fromkeys(OURS, 1) | {THEIRS: 40}
    assert memory.to_dict() == dict.fromkeys(OURS, 4) | {THEIRS: 800}


def test_cheaper_is_the_ratio_of_both(records):
    time, memory = targets.cheaper(records[0], "pooled")
    assert time == (40, 40, 40)
    assert memory == (200, 200, 200)


def test_memory_below_the_resolution_counts_as_the_resolution():
    assert targets.cheaper(measured(mib=0), "pooled")[1].median == 800 / targets.RESOLUTION


def test_targets_are_held_against_their_limits(records):
    met = {target.target: target.met for target in targets.targets(records)}
    asked = lambda *words: next(value for text, value in met.items() if all(word in text for word in words))
    assert asked("time", "`mean cosine`") is True
    assert asked("memory", "`averaged`") is True
    assert asked("mu of both sides") is True
    assert asked("rho and tau") is True
    assert asked("matrix products", "1.5") is True
    assert asked("`exact`", "grows") is True
    assert asked("`as published`", "grows") is None
    assert asked("alone") is True
    assert asked("`exact` over `as published`, 2 threads, other processes: 2") is False
    assert not any("other processes: 0" in text for text in met)
    assert asked("with the forward pass", "12 x 768, texts: 1") is None
    assert asked("import") is True
    assert asked("corpus") is False


@pytest.mark.parametrize(("change", "word"), [(measured(ours=10), "time"), (measured(mib=100), "memory")])
def test_targets_are_missed_where_they_are(change, word):
    rows = [t for t in targets.targets([change]) if t.met is False]
    assert rows
    assert all(word in row.target for row in rows)
    assert not targets.targets([loss(exact=1.6)])[6].met


def test_what_was_not_measured_is_said():
    for target in targets.targets([measured(texts=10)])[:6]:
        assert (target.measured, target.met) == ("not measured", None)


def test_growth_is_the_power_of_n(records):
    assert targets.growth(records, losses.NAIVE) == pytest.approx(2)
    assert targets.growth(records, losses.EXACT) == pytest.approx(1)
    assert targets.growth(records[:4], losses.EXACT) is None


@pytest.mark.parametrize(
    ("ratio", "seen"),
    [((1.5, 1.25, 2.0), "1.5 [1.25, 2]"), ((3.0, 3.0, 3.0), "3"), ((1234.5, 0.5, 2e4), "1,234 [0.5, 20,000]")],
)
def test_ratio_is_shown_with_its_range(ratio, seen):
    assert targets.show(timing.Ratio(*ratio)) == seen
