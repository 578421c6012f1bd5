"""Which runs are trained, what they cost, and whether a record is what the code gives; with runs that cost nothing."""

from io import BytesIO

import numpy as np
import pytest
import torch
from toy_runs import DISPERSION, mid, scratch

from decondense import records
from decondense.corpora import Corpus
from decondense.runs import MidTraining, grid, midtraining, store, workers

CHANGES = {label: midtraining.CONDITIONS[label] for label in ("none", "train", "dispersion")}


@pytest.fixture
def corpus(monkeypatch):
    """What the runs are trained on: its SHA-256 is in their records, and no part of their keys."""
    texts = ["abc"]
    monkeypatch.setattr(store, "corpus", lambda *_: Corpus("imdb", texts, "here", ""))
    return texts


@pytest.fixture(autouse=True)
def trained(world, corpus, monkeypatch):
    """Stand-in runs, whose loss is their seed + 1 / step: the configurations that were trained."""
    done = []

    def train(config):
        done.append(config)
        steps = min(config.steps, config.stop_after or config.steps)
        curve = [{"step": i, "loss_language": config.seed + 1 / i, "loss_regulariser": 0.0} for i in _logged(config)]
        arrays = BytesIO()
        np.savez(arrays, mu=np.full((2, 1, 3), float(config.seed)), histogram=np.ones((2, 3, 4)))
        about = {"checkpoints": [0, steps], "validation_loss": [9.0, 8.0], "corpus": {"sha256": corpus[0]}}
        results = about | {"curve": curve, "tokens": config.tokens}
        how = {"surroundings": store.surroundings(config)}
        records.run(config.name, config.as_dict(), lambda: (results, arrays.getvalue()), store.CODE, **how)

    def _logged(config):
        steps = min(config.steps, config.stop_after or config.steps)
        return range(config.logging_steps, steps + 1, config.logging_steps)

    monkeypatch.setattr(workers, "train_all", lambda configs: [train(config) for config in configs])
    return done


@pytest.fixture
def prepared(monkeypatch):
    asked = []
    monkeypatch.setattr(MidTraining, "prepare", lambda self: asked.append(self))
    return asked


def runs(changes=CHANGES, seeds=(5,), committed=True, **shared):
    return grid.runs(mid(**shared), changes, list(seeds), committed)


# --- runs and records -----------------------------------------------------------------------------------------------


def test_jobs_come_by_label_and_seed_and_the_model_before_training_once():
    found = grid.jobs(mid(), CHANGES, [7, 5])
    expected = [("none", 7), ("train", 7), ("train", 5), ("dispersion", 7), ("dispersion", 5)]
    assert [(label, config.seed) for label, config in found] == expected
    for label, config in found:
        assert config == mid().changed(**CHANGES[label], seed=config.seed)
    with pytest.raises(ValueError, match="steps must be above 0, got 0"):
        grid.jobs(mid(steps=0), CHANGES, [5])


def test_an_unknown_change_is_refused_before_anything_is_trained(trained):
    with pytest.raises(ValueError, match="No run knows 'lambda'"):
        runs({"train": {}, "mine": {"lambda": 1.0}})
    assert trained == []


def test_only_what_is_missing_is_trained_and_found_again(trained):
    (first,) = runs({"train": {}})
    found = runs(seeds=(5, 7))
    assert [(config.loss, config.steps, config.seed) for config in trained[1:]] == [
        (None, 0, 5), (None, 3, 7), ("dispersion", 3, 5), ("dispersion", 3, 7)
    ]  # fmt: skip
    assert [(run.label, run.seed) for run in found][1:3] == [("train", 5), ("train", 7)]
    assert found[1].record == first.record
    for run, (_, config) in zip(found, grid.jobs(mid(), CHANGES, [5, 7]), strict=True):
        assert run.config == config.as_dict()
    assert [run.record for run in runs(seeds=(5, 7))] == [run.record for run in found]
    assert len(trained) == 5


def test_one_configuration_under_two_labels_is_trained_once(trained):
    default, again, other = runs({"default": {}, "again": {"weight": 5.0}, "other": DISPERSION})
    assert len(trained) == 2
    assert default.record == again.record != other.record
    assert (default.label, again.label) == ("default", "again")


def test_the_largest_models_are_trained_first(trained, prepared):
    jobs = [("a", mid(model=f"pocket-{size}", seed=seed)) for seed, size in enumerate(("small", "xl", "medium"))]
    assert [run.seed for run in grid.made(jobs)] == [0, 1, 2]
    assert [config.seed for config in trained] == [1, 2, 0]


@pytest.mark.parametrize(
    ("shared", "changed"),
    [
        ({}, {"model": "pocket-xl"}),
        ({}, {"steps": 20}),
        ({"model": "pocket-xl"}, {"train_tokens": 7}),
        ({}, {"corpus": "wikitext-2"}),
        ({}, {"sources": ["hub"]}),
    ],
)
def test_what_runs_share_is_prepared_once(prepared, shared, changed):
    """A corpus that is read row by row has a file for each number of tokens."""
    configs = [mid(**shared | change, seed=seed) for change in ({}, changed) for seed in (0, 1)]
    grid.train_missing(configs, committed=False)
    assert [config.as_dict() | {"seed": 0} for config in prepared] == [config.as_dict() for config in configs[::2]]
    grid.train_missing(configs, committed=False)
    assert len(prepared) == 2  # nothing is missing any more


def test_another_engine_trains_what_is_missing(prepared):
    runs({"train": {}}, seeds=[0])
    asked = []

    def engine(configs):
        asked.append([config.seed for config in configs])
        assert len(prepared) == 2  # before any job
        workers.train_all(configs)

    found = grid.made(grid.jobs(mid(), {"train": {}}, [0, 1, 2]), train_all=engine)
    assert asked == [[1, 2]]
    assert [run.seed for run in found] == [0, 1, 2]


# --- committed records ----------------------------------------------------------------------------------------------


@pytest.fixture
def committed(trained, tmp_path, monkeypatch):
    """Runs made on another machine, whose records the repository keeps; here there are none yet."""
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", str(tmp_path / "committed"))
        patch.setattr(store, "surroundings", lambda config: {"device": "abacus"})
        found = runs()
    trained.clear()
    return found


def test_committed_records_are_taken_and_copied(committed, trained, tmp_path):
    found = runs()
    assert trained == []
    assert [run.record.content for run in found] == [run.record.content for run in committed]
    assert {run.record.path.parent for run in found} == {tmp_path / "records"}
    assert all(records.is_committed(run.record) for run in found)
    np.testing.assert_array_equal(found[2].mu, committed[2].mu)


def test_committed_records_are_left_if_not_wanted_or_of_another_configuration(committed, trained):
    runs({"train": {"learning_rate": 2e-2}})
    assert len(trained) == 1
    assert not any(records.is_committed(run.record) for run in runs(committed=False))
    assert len(trained) == 4


def test_fresh_ignores_committed_records(committed, trained, monkeypatch):
    monkeypatch.setenv("DECONDENSE_FRESH", "2999-01-01")
    monkeypatch.setattr(records, "provenance", lambda: {"utc": "2999-01-02T00:00:00+00:00"})
    found = runs()
    assert len(trained) == 3
    assert [run.record.content["provenance"]["utc"][:4] for run in found] == ["2999"] * 3


def test_origin_counts_runs_by_where_they_come_from(committed):
    found = runs(CHANGES | {"l2_repel": {"loss": "l2_repel"}})
    table = grid.origin(found)
    assert table.columns.name == "from"
    assert table["runs"].to_dict() == {"committed record": 3, "this run": 1}
    assert list(table.columns) == ["made on", "commit", "machine", "torch", "runs"]
    made = found[0].record.content["provenance"]
    assert set(table["made on"]) <= {run.record.content["provenance"]["utc"][:10] for run in found}
    assert set(table["torch"]) == {made["packages"]["torch"]}
    assert table["machine"].iloc[0].startswith(f"{made['hardware']['cores']} cores, ")


def test_origin_names_the_gpu_and_copes_without_git(committed):
    made = committed[0].record.content["provenance"]
    made["hardware"]["gpu"], made["git_commit"] = "Abacus 3000", None
    (row,) = grid.origin(committed[:1]).to_dict("records")
    assert (row["machine"], row["commit"], row["runs"]) == ("Abacus 3000", "", 1)


# --- the beginning made again ---------------------------------------------------------------------------------------


def test_check_run_compares_the_first_steps(trained):
    (run,) = runs({"dispersion": DISPERSION | {"tasks": {"pocket_cloze": 3}}}, seeds=[3])
    table = grid.check_run(run, 2)
    assert trained[-1].as_dict() == mid(**DISPERSION, seed=3, stop_after=2, checkpoints=1).as_dict()
    assert table["quantity"].tolist() == ["another corpus", "mu before training"] + [
        f"{name}, step {step}" for step in (1, 2) for name in ("loss_language", "loss_regulariser")
    ]
    assert table["now"].tolist() == table["record"].tolist() == [0.0, 0.0, 4.0, 0.0, 3.5, 0.0]
    assert table["agrees"].all()
    grid.check_run(run, 2)
    assert len(trained) == 2  # it has a record too


@pytest.mark.parametrize(
    ("name", "size", "row"),
    [("mu", grid.CHECK_MU, 1), ("loss_language", grid.CHECK_LOSS, 4), ("loss_regulariser", grid.CHECK_LOSS, 5)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_check_run_finds_a_record_that_this_code_does_not_give(name, size, row, sign):
    (run,) = runs({"train": {}}, seeds=[3])
    grid.check_run(run, 2)

    def with_error(error):
        (other,) = runs({"train": {}}, seeds=[3])
        if name == "mu":
            other._arrays["mu"][0, 0, 1] += error
        else:
            other.results["curve"][1][name] += error
        return grid.check_run(other, 2)["agrees"]

    assert with_error(0.9 * sign * size).all()
    assert (~with_error(1.1 * sign * size)).to_numpy().nonzero()[0].tolist() == [row]


def test_check_run_tells_another_corpus(corpus):
    (run,) = runs({"train": {}})
    corpus[0] = "xyz"
    assert grid.check_run(run, 2).query("not agrees")["quantity"].tolist() == ["another corpus"]


def test_check_run_without_a_logged_step_is_an_error():
    (run,) = grid.made([("a", scratch(steps=400))])
    with pytest.raises(ValueError, match=r"Nothing is logged in 2 steps\. Check 4 or more"):
        grid.check_run(run, 2)


def test_check_run_names_a_record_that_no_run_can_be():
    (run,) = runs({"train": {}})
    run.config["lambda"] = 1.0
    with pytest.raises(ValueError, match=rf"^{run.record.path.name} is of no run .* No run knows 'lambda'"):
        grid.check_run(run, 2)


def test_a_run_of_several_processes_is_checked_in_one(trained):
    (run,) = grid.made([("a", scratch(processes=4, accumulation=3))])
    assert grid.check_run(run, 2)["agrees"].all()
    assert trained[-1].as_dict() == scratch(accumulation=12, stop_after=2, checkpoints=1).as_dict()


# --- before it starts -----------------------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch):
    """A machine of a thousand operations a second, with four cores, without a GPU; models of seven parameters."""
    monkeypatch.setattr(grid, "matrix_rate", lambda: 1e3)
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(MidTraining, "parameters", lambda self: 7 if self.model.endswith("gpt2-toy") else 30)


def test_plan_says_what_runs_would_do(trained, slow, monkeypatch):
    changes = CHANGES | {"again": {}}
    plan = grid.plan(mid(), changes, [5, 7])
    assert plan[["runs", "to train", "tokens"]].tolist() == [5, 5, 4 * 3 * 2 * 16]  # none before training
    assert [type(value) for value in plan[:3]] == [int] * 3
    found = {run.record.path: run.results["tokens"] for run in runs(changes, seeds=(5, 7))}
    assert (plan["to train"], plan["tokens"]) == (len(trained), sum(found.values())) == (5, 384)
    monkeypatch.setattr(grid, "matrix_rate", lambda: pytest.fail("measured for nothing"))
    assert grid.plan(mid(), changes, [5, 7]).tolist() == [5, 0, 0, 0.0]


@pytest.mark.parametrize(("seeds", "at_once", "sharing"), [(2, None, 2), (5, None, 4), (5, 1, 1)])
def test_hours_are_shared_by_what_is_trained_side_by_side(slow, seeds, at_once, sharing):
    configs = [mid(steps=1000, seed=seed) for seed in range(seeds)]
    hours = grid.planned(configs, at_once)["hours, about"]
    alone = 6 * 7 * 4 * 32_000 / 400 / 3600  # of one run, on one of four cores
    assert hours == pytest.approx(alone * seeds / sharing, abs=0.006)


def finished(name, seconds, gpu=None, **changes):
    """A record of a run that took so long."""
    config = changes.pop("config", None) or mid(**{"seed": 0} | changes)
    content = {"config": config.as_dict(), "results": {"tokens": config.tokens}}
    content |= {"provenance": {"seconds": seconds, "hardware": {"gpu": gpu}, "utc": ""}}
    records.write(records.folder() / f"{config.name}-{name}.json", content)


def test_cost_is_that_of_the_longest_runs_of_the_same_model(slow):
    wanted = mid(steps=300)
    assert grid.cost([wanted]) == (pytest.approx(6 * 7 * 4 * 300 * 32 / 400 / 3600), False)
    finished("a", 8.0, steps=2, checkpoints=1)  # mostly the start
    finished("b", 30.0, seed=1)
    finished("c", 40.0, seed=2)
    finished("d", 90.0, seed=3)
    finished("e", 1.0, config=mid(steps=99).changed(model="elsewhere/gpt2-toy"))
    finished("f", 1.0, steps=99, stop_after=2)
    finished("g", 1.0, gpu="Abacus 3000", steps=99)
    hours, measured = grid.cost([wanted, mid(seed=6, **DISPERSION, steps=30)])
    assert hours == pytest.approx(40.0 * 110 / 3600)  # 330 steps, and the median of runs of 3 took 40 s
    assert measured
    hours, measured = grid.cost([wanted, mid(model="pocket-small")])
    assert hours == pytest.approx((40.0 * 100 + 6 * 30 * 4 * 96 / 400) / 3600)
    assert not measured


def test_cost_of_jobs_on_gpus_is_not_guessed_from_this_cpu(slow, monkeypatch):
    monkeypatch.setenv("DECONDENSE_DEVICE", "cuda")
    finished("a", 40.0)
    assert np.isnan(grid.cost([mid()]).hours)
    finished("b", 4.0, gpu="Abacus 3000")
    assert grid.cost([mid()]) == (pytest.approx(4.0 / 3600), True)


def test_cost_of_a_run_of_many_processes_counts_them_all(slow):
    finished("a", 40.0, config=scratch(processes=8))
    assert grid.cost([scratch(processes=8)]) == (pytest.approx(320 / 3600), True)


def test_nothing_to_train_costs_nothing():
    assert grid.cost([mid(steps=0)]) == (0.0, True)


def test_matrix_rate_is_that_of_a_machine():
    assert 1e7 < grid.matrix_rate(n=128, rounds=2) < 1e16
