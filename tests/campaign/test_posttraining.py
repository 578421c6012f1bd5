"""The item `posttraining`: what it needs, its runs in order of worth, and what the page shows of them."""

import sys

import pytest

from decondense.campaign import posttraining
from decondense.chapters.posttraining import larger, readings, training
from decondense.paper import designs
from decondense.records import Record
from decondense.runs import items

ENTRY, TINY = items.entry("posttraining"), items.entry("posttraining", True)


@pytest.fixture(autouse=True)
def own_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))


def make(seconds=600.0):
    said = []
    return posttraining.make(TINY, True, seconds, said.append), said


@pytest.mark.filterwarnings("ignore")  # of TRL, about itself
def test_all_runs_are_made_at_tiny_size_and_found_again_by_the_next_call_and_the_page(
    tmp_path, monkeypatch, small_pocket
):
    pytest.importorskip("trl", reason="TRL is not installed")
    monkeypatch.setattr(items, "entry", lambda name: TINY)
    assert larger.shown(larger.found()) == "No GPU records yet: `decondense campaign --only posttraining` makes them."
    done, said = make()
    assert done
    assert said[-1] == "posttraining: 12 of 12 runs are done."
    assert len(list((tmp_path / "records").glob("after-pretraining-*.json"))) == 12
    monkeypatch.setattr(training, "_trained", lambda config: pytest.fail("it has a record"))
    assert make() == (True, said[-1:])
    made = larger.found()
    assert {method: len(runs) for method, runs in made.items()} == {"grpo": 4, "sft": 4, "dpo": 4}
    shown = larger.shown(made)
    assert shown.data.index.tolist() == readings.quantities()
    assert shown.caption.startswith("On a CPU, of 5 seeds, at 0.02 nats a token; as far came: GRPO, train ")


def test_grpo_and_sft_come_first_and_of_them_whole_seeds():
    every = [(case.method, case.seed, case.label) for case in larger.cases(ENTRY)]
    first = [("grpo", 0, "train"), ("grpo", 0, "dispersion"), ("sft", 0, "train"), ("sft", 0, "dispersion")]
    assert every[:5] == [*first, ("grpo", 1, "train")]
    assert len(every) == len(set(every)) == 30
    assert {method for method, _, _ in every[20:]} == {"dpo"}


def test_it_goes_beyond_the_page_and_has_the_seeds_of_its_design():
    design = designs.load(ENTRY["design"])
    assert len(ENTRY["seeds"]) == design.n == 5
    page = designs.load("posttraining")
    assert [one.smallest for one in design[-2:]] == [one.smallest for one in page[-2:]]
    assert ENTRY["training"]["looks"][-1] == ENTRY["training"]["steps"]
    assert ENTRY["data"]["problems"] + ENTRY["data"]["held_out"] <= ENTRY["data"]["largest"] ** 2
    assert ENTRY["training"]["batch_size"] % ENTRY["training"]["completions"] == 0


def test_a_method_of_which_one_arm_has_run_is_not_shown(monkeypatch, tmp_path):
    record = Record(tmp_path, {}, None)
    monkeypatch.setattr(training, "find", lambda **asked: None if "loss" in asked else record)
    assert larger.found() == {}
    monkeypatch.setattr(training, "find", lambda **asked: record if asked["method"] == "dpo" else None)
    assert {method: len(runs) for method, runs in larger.found().items()} == {"dpo": 10}


def test_without_trl_or_the_weights_it_is_refused_in_one_line_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"weights of smollm2-135m-instruct are not .* --weights$"):
        posttraining.check(ENTRY)
    posttraining.check(TINY)
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(ImportError, match=r"trl is not installed, part of the extra `tune`: python -m pip install"):
        posttraining.check(TINY)
