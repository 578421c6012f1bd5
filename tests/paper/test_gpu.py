"""What runs of the campaign show and decide on a page: on runs that are made up."""

from pathlib import Path

import pytest
from made_runs import Known

from decondense.paper import designs, gpu
from decondense.paper.claims import Claim, judged
from decondense.paper.verdicts import CONTRADICTED, REPRODUCED, not_testable
from decondense.records import Record


def run(label, seed, loss, tokens=1000, card="a card"):
    content = {
        "config": {"tasks": {}, "steps": 8},
        "results": {"tokens": tokens, "model": {"parameters": 10}},
        "provenance": {"hardware": {"gpu": card}},
    }
    record = Record(Path("none"), content, None)
    return Known(label, seed, record=record, validation_loss=loss)


def pretraining(gain, seeds=5, tokens=1000):
    """Dispersion has `gain` nats more than plain training; each seed varies a little."""
    plain = [run("train", seed, 5.0, tokens) for seed in range(seeds)]
    return plain + [run("dispersion", seed, 5.0 + gain + 0.001 * seed, tokens) for seed in range(seeds)]


CLAIM = Claim(claim="lower loss", here="+0.1", verdict=not_testable("small"))


def decided(here, larger):
    return gpu.decided(CLAIM, "pretraining", gpu.LOSS, here, larger)


def test_without_records_the_page_says_how_to_make_them():
    assert gpu.nothing("family") == "No GPU records yet: `decondense campaign --only family` makes them."
    assert decided(pretraining(0.1), []) is CLAIM


@pytest.mark.parametrize(("gain", "word"), [(-0.1, REPRODUCED), (0.1, CONTRADICTED)])
def test_the_larger_runs_decide_and_the_smaller_are_beside(gain, word):
    found = decided(pretraining(-gain, tokens=10), pretraining(gain))
    assert judged([found])[0].verdict.word == word
    assert found.here.startswith("a card, 1,000 tokens a run, 5 seeds: dispersion minus train ")
    assert found.here.endswith("Smaller runs here: +0.1")
    assert found.verdict[0].number == designs.load("pretraining_gpu").primary.smallest


@pytest.mark.parametrize(
    ("larger", "why"),
    [
        (pretraining(-0.1, tokens=5), "smaller than the runs here"),
        (pretraining(-0.1, seeds=3), "5 seeds were designed"),
    ],
)
def test_smaller_runs_or_fewer_seeds_decide_nothing(larger, why):
    found = decided(pretraining(0.1, tokens=10), larger)
    assert found.verdict == CLAIM.verdict
    assert found.here.endswith(f"(no verdict: {why})")


def test_the_machine_is_named():
    assert gpu.where([run("train", 0, 5.0, card=None)]) == "a CPU, 1,000 tokens a run, 1 seeds"
    assert gpu.contrasts("pretraining", pretraining(0.0)) == {"dispersion": "train"}
    assert gpu.size(pretraining(0.0)) == 10_000
