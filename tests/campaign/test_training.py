"""An item from its plan to its records; killed, out of time, and gone on with."""

import json

import numpy as np
import pytest
from toy_runs import killed_after

from decondense.campaign import plan, training
from decondense.campaign.plan import Plan, Rate
from decondense.corpora import packed
from decondense.runs import items, kept, loop, store


@pytest.fixture(autouse=True)
def place(tokens, tmp_path, monkeypatch, frozen):
    """Records of their own, and a rate that no machine has to tell."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(plan, "measured_rate", lambda config: Rate(1e-3, 0.0))
    return tmp_path


def make(name, out, seconds=600.0):
    said = []
    done = training.make(items.runs(name, tiny=True), out, True, seconds, said.append)
    return done, said


def records_in(folder):
    return {path.name: path.read_text() for path in (folder / "records").glob("*.json")}


def test_a_family_from_its_plan_to_its_records(place):
    done, said = make("family", place)
    assert done
    assert said[0].startswith("family on ")
    assert "8 steps (256 tokens) a run, 2 of 2 seeds; measured, tokens a second: 8 wide 32,000" in said[0]
    assert "no verdict" not in said[0]
    assert said[1] == "family: all 4 runs are done."
    configs = [json.loads(text)["config"] for text in records_in(place).values()]
    assert {(config["shape"]["n_embd"], config["seed"]) for config in configs} == {(8, 0), (8, 1), (16, 0), (16, 1)}
    assert {config["steps"] for config in configs} == {8}
    assert "late-half μ" in said[2]


def test_a_second_time_nothing_is_trained(place, monkeypatch):
    _, said = make("family", place)
    monkeypatch.setattr(store, "train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(plan, "made", lambda *_: pytest.fail("planned again"))
    assert make("family", place) == (True, said)


def test_the_records_are_those_of_any_run_with_the_machine_named(place):
    make("family", place)
    record = json.loads(next(iter(records_in(place).values())))
    assert {"gpu", "cores"} <= set(record["provenance"]["hardware"])
    assert record["results"]["corpus"]["name"] == "packed/pocket-small"
    assert len(record["results"]["validation_loss"]) == len(record["results"]["checkpoints"])


def test_out_of_time_it_says_what_is_left_and_the_same_call_goes_on(place, monkeypatch):
    clock, usual = [0.0], store.train
    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])

    def train(config, progress):
        if len(records_in(place)) == 3:
            clock[0] = 601.0
        return usual(config, progress)

    monkeypatch.setattr(store, "train", train)
    done, said = make("family", place)
    assert not done
    assert said[-1] == "family: the time is up, 3 of 4 runs are done. The same command goes on."
    assert len(records_in(place)) == 3
    before = records_in(place)
    clock[0] = 0.0
    monkeypatch.setattr(store, "train", usual)
    assert make("family", place)[0]
    after = records_in(place)
    assert len(after) == 4
    assert before.items() <= after.items()


def test_killed_in_a_run_it_goes_on_from_the_saved_state(place, monkeypatch):
    monkeypatch.setattr(loop, "LONG", 1)
    make("family", place / "whole")
    whole = {n: json.loads(t)["results"]["weights_sha256"] for n, t in records_in(place).items()}
    for path in (place / "records").iterdir():
        path.unlink()
    with killed_after(5):
        make("family", place)
    steps = []
    usual = loop.train
    monkeypatch.setattr(loop, "train", lambda config, folder, progress, keep: usual(config, folder, steps.append, keep))
    assert make("family", place)[0]
    assert steps[0] > 1  # of the run that was killed
    assert {n: json.loads(t)["results"]["weights_sha256"] for n, t in records_in(place).items()} == whole


def test_rates_are_tuned_by_short_runs_of_a_seed_of_their_own(place):
    assert make("pretraining", place)[0]
    configs = [json.loads(text)["config"] for text in records_in(place).values()]
    short = [config for config in configs if config["seed"] == training.TUNING_SEED]
    assert sorted((config["loss"] or "", config["learning_rate"]) for config in short) == [
        ("", 1e-3), ("", 1e-2), ("dispersion", 1e-3), ("dispersion", 1e-2),
    ]  # fmt: skip
    assert {config["steps"] for config in short} == {2}
    assert {config["learning_rate"] for config in configs if config["seed"] < 5} == {1e-2}


def test_a_best_rate_at_the_edge_is_said(place, monkeypatch):
    item = items.runs("pretraining", tiny=True)._replace(rates=[1e-3, 1e-2, 1e-1])
    best = {"train": {"learning_rate": 1e-2}, "dispersion": {"learning_rate": 1e-1}}
    monkeypatch.setattr(training.tuning, "at_best_rate", lambda tried, changes: best)
    assert training.at_the_edge(item, []) == [
        "pretraining, dispersion: the best rate, 0.1, is at the edge of those tried; a better one may lie beyond."
    ]


def test_a_rate_of_its_own_is_kept(place):
    assert make("width", place)[0]
    configs = [json.loads(text)["config"] for text in records_in(place).values()]
    assert [c["shape"]["n_inner"] for c in configs if c["learning_rate"] == 2.5e-5] == [16]
    assert len(configs) == 4 + 3


def test_fewer_seeds_than_designed_carry_no_verdict(place):
    item = items.runs("family", tiny=True)
    short = Plan("family", 8, 0, [0], {"8 wide": Rate(1.0, 0.0)}, 1.0, "a card", "", "")
    assert training.described(item, short).endswith("1 of 2 seeds; measured, tokens a second: 8 wide 32; fewer seeds "
                                                     "than designed: no verdict")  # fmt: skip


def test_seeds_come_whole_one_after_the_other(place):
    item = items.runs("family", tiny=True)
    found = training.jobs(item, Plan("family", 8, 0, [0, 1], {}, 1.0, "", "", ""), [])
    assert [(label, config.seed) for label, config in found] == [
        ("8 wide", 0), ("16 wide", 0), ("8 wide", 1), ("16 wide", 1),
    ]  # fmt: skip


# --- one loss after the other -----------------------------------------------------------------------------------------


def test_losses_are_made_whole_one_after_the_other_with_the_weights_of_their_short_runs(place, monkeypatch):
    """Out of time after plain training, its longer runs and the first loss; the same call goes on."""
    clock, usual, trained = [0.0], store.train, []
    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])

    def train(config, progress):
        trained.append(config)
        clock[0] = 601.0 if len(trained) == 10 else 0.0
        return usual(config, progress)

    monkeypatch.setattr(store, "train", train)
    done, said = make("anti-collapse", place)
    assert not done
    assert "2 of 2 seeds, 4 conditions one after the other; measured" in said[0]
    assert said[1] == "anti-collapse: the time is up, 9 of 16 runs are done. The same command goes on."
    labels = ["train", "dispersion", "train, 16 steps"]
    assert runs_in(place) == [(label, seed) for label in labels for seed in (0, 1)]
    done, said = make("anti-collapse", place)
    assert done
    assert len(trained) == 17  # one of them twice
    assert said[1] == "anti-collapse: all 16 runs are done."
    assert "dispersion minus train" in said[2]
    assert said[3].startswith("validation loss at equal time:")
    labels = ["train", "dispersion", "train, dropout", "info_nce", "train, 16 steps"]
    assert runs_in(place) == [(label, seed) for label in labels for seed in (0, 1)]
    tried = [r for r in map(json.loads, records_in(place).values()) if "loss" in r["config"]]
    tried = [r for r in tried if r["config"]["loss"] == "dispersion" and r["config"]["seed"] == items.TUNING_SEED]
    best = min(tried, key=lambda record: record["results"]["validation_loss"][-1])["config"]
    assert len(tried) == 2
    assert {config.weight for config in trained if config.loss == "dispersion" and config.seed < 2} == {best["weight"]}


def runs_in(place):
    return [(run.label, run.seed) for run in kept.runs("anti-collapse", place / "records", tiny=True)]


# --- mid-training -----------------------------------------------------------------------------------------------------


def test_mid_training_begins_with_the_weights_that_were_carried_and_is_scored(place, carried):
    done, said = make("midtraining", place)
    assert done
    assert said[1] == "midtraining: all 4 runs are done."
    found = kept.runs("midtraining", place / "records", tiny=True)
    assert [(run.label, run.seed) for run in found] == [("0", 0), ("0", 1), ("0.1", 0), ("0.1", 1)]
    start = {run.label: run.results["validation_loss"][0] for run in found}
    assert len(set(start.values())) == 1  # the same weights
    for run in found:
        assert run.results["model"]["source"] == "a mirror"
        assert run.results["model"]["carried"] == "as bfloat16"
        assert run.evaluation.items.groupby("task").size().tolist() == [2] * 9
        assert run.evaluation.items.logprob.lt(0).all()


def test_mid_training_killed_in_a_run_goes_on_from_the_saved_state(place, carried, monkeypatch):
    monkeypatch.setattr(loop, "LONG", 1)
    make("midtraining", place / "whole")
    whole = {n: json.loads(t)["results"]["weights_sha256"] for n, t in records_in(place).items()}
    for path in (place / "records").iterdir():
        path.unlink()
    with killed_after(2):
        make("midtraining", place)
    assert len(records_in(place)) < 4
    assert make("midtraining", place)[0]
    assert {n: json.loads(t)["results"]["weights_sha256"] for n, t in records_in(place).items()} == whole


def test_other_weights_or_benchmarks_make_another_plan(place, carried):
    make("midtraining", place)
    header = json.loads((carried / "tokens.json").read_text())
    before = plan.corpus_of(items.runs("midtraining", tiny=True).shared)
    np.savez(carried / "benchmarks.npz", other=1)
    with pytest.raises(ValueError, match=r"benchmarks.npz is not the file that was packed: copy it again"):
        store.corpora.load("packed/smollm2-135m-instruct")
    header["beside"]["benchmarks.npz"] = packed.sha256(carried / "benchmarks.npz")
    (carried / "tokens.json").write_text(json.dumps(header))
    store.corpus.cache_clear()
    assert plan.corpus_of(items.runs("midtraining", tiny=True).shared) != before
