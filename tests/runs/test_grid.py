"""Which runs are trained, what they cost, and whether a record is what the code gives; with runs that cost nothing."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch

from decondense import records
from decondense.runs import grid, workers

corpus = []  # what the runs are trained on
COST = {"steps": 10, "batch_size": 2, "accumulation": 3, "length": 5, "texts": 1, "text_length": 8, "held_out": 1}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A kind of run whose loss is its seed + 1 / step; its model has as many parameters as it says."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))
    prepared, trained = [], []
    corpus.clear()
    corpus.append("abc")

    def train(config):
        trained.append(config)
        steps = config.get("stop_after") or config["steps"]
        curve = [
            {"step": i, "loss_language": config["seed"] + 1 / i, "loss_regulariser": 0.0} for i in range(1, steps + 1)
        ]
        arrays = BytesIO()
        np.savez(arrays, mu=np.full((2, 1, 3), float(config["seed"])))
        results = {"curve": curve, "corpus": {"sha256": corpus[0]}, "tokens": grid.tokens(config)}
        records.run("toy", config, lambda: (results, arrays.getvalue()))

    def train_all(configs, parameters, module):
        assert module == "toy"
        assert parameters == max(config["size"] for config in configs)  # the largest decides how many fit
        for config in configs:
            train(json.loads(json.dumps(config)))

    monkeypatch.setattr(workers, "train_all", train_all)
    find = lambda config, committed: records.find("toy", config, committed=committed)
    kind = grid.Kind("toy", find, prepared.append, lambda config: config["size"], lambda config: "toy-train")
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    return kind, prepared, trained


def config(seed, size=7, **changes):
    return COST | {"seed": seed, "size": size, "model": "m"} | changes


def test_runs_keep_their_order_and_the_largest_is_trained_first(toy):
    kind, _, trained = toy
    jobs = [("b", config(1, 5)), ("a", config(0, 9)), ("b", config(0, 5))]
    found = grid.runs(kind, jobs, committed=False)
    assert [(run.label, run.seed) for run in found] == [("b", 1), ("a", 0), ("b", 0)]
    assert [c["size"] for c in trained] == [9, 5, 5]
    grid.runs(kind, jobs, committed=False)
    assert len(trained) == 3  # found again


def test_the_same_configuration_is_trained_once(toy):
    kind, _, trained = toy
    first, second = grid.runs(kind, [("a", config(0)), ("b", config(0))], committed=False)
    assert len(trained) == 1
    assert first.record == second.record


def test_what_runs_share_is_prepared_once(toy):
    kind, prepared, _ = toy
    configs = [config(seed, model=model, corpus="c") for model in ("m", "n") for seed in (0, 1)]
    grid.train_missing(kind, configs, committed=False)
    assert [c["model"] for c in prepared] == ["m", "n"]
    grid.train_missing(kind, configs, committed=False)
    assert len(prepared) == 2  # nothing is missing any more


def test_of_a_corpus_as_many_tokens_are_prepared_as_each_run_reads(toy):
    """One that is read row by row has a file for each number of tokens."""
    kind, prepared, _ = toy
    configs = [config(seed, steps=steps, corpus="c4") for steps in (10, 20) for seed in (0, 1)]
    grid.train_missing(kind, configs, committed=False)
    assert [c["steps"] for c in prepared] == [10, 20]


def test_another_engine_trains_what_is_missing(toy):
    kind, prepared, _ = toy
    grid.runs(kind, [("a", config(0))], committed=False)
    asked = []

    def engine(configs, parameters, module):
        asked.append(([c["seed"] for c in configs], parameters, module))
        assert len(prepared) == 2  # before any job
        workers.train_all(configs, parameters, module)

    runs = grid.runs(kind, [("a", config(0)), ("a", config(1)), ("a", config(2, 9))], False, engine)
    assert asked == [([2, 1], 9, "toy")]
    assert [run.seed for run in runs] == [0, 1, 2]


def test_check_run_compares_the_first_steps(toy):
    kind, _, trained = toy
    (run,) = grid.runs(kind, [("a", config(3))], committed=False)
    table = grid.check_run(kind, run, 2)
    assert trained[-1]["stop_after"] == 2
    assert table["now"].tolist() == [0.0, 0.0, 4.0, 0.0, 3.5, 0.0]
    assert table["agrees"].all()
    run.record.content["results"]["curve"][1]["loss_language"] += 2 * grid.CHECK_LOSS
    assert grid.check_run(kind, run, 2)["agrees"].tolist() == [True, True, True, True, False, True]


def test_check_run_tells_another_corpus(toy):
    kind, _, _ = toy
    (run,) = grid.runs(kind, [("a", config(3))], committed=False)
    corpus[0] = "xyz"
    assert grid.check_run(kind, run, 2).query("not agrees")["quantity"].tolist() == ["another corpus"]


def test_check_run_without_a_logged_step_is_an_error(toy, monkeypatch):
    kind, _, _ = toy
    (run,) = grid.runs(kind, [("a", config(3, logging_steps=4))], committed=False)
    empty = kind.find(config(3, logging_steps=4), False)
    empty.content["results"]["curve"] = []
    nothing = kind._replace(find=lambda config, committed: empty)
    with pytest.raises(ValueError, match=r"Nothing is logged in 2 steps\. Check 4 or more"):
        grid.check_run(nothing, run, 2)


# --- before it starts -----------------------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch):
    """A machine of a thousand operations a second, with four cores, without a GPU."""
    monkeypatch.setattr(grid, "matrix_rate", lambda: 1e3)
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_plan_counts_tokens_and_hours(toy, slow, monkeypatch):
    kind, _, _ = toy
    plan = grid.plan(kind, [config(0, 700, model="a"), config(1, 300), config(1, 300)])
    assert plan[["runs", "to train", "tokens"]].tolist() == [2, 2, 600]
    alone = 6 * 300 * 1000 / 400 / 3600  # on all four cores; two runs take two of them
    assert plan["hours, about"] == pytest.approx(alone * 4 / 2, abs=0.006)
    grid.runs(kind, [("a", config(0, 700, model="a")), ("a", config(1, 300))], committed=False)
    monkeypatch.setattr(grid, "matrix_rate", lambda: pytest.fail("measured for nothing"))
    assert grid.plan(kind, [config(0, 700, model="a"), config(1, 300)]).tolist() == [2, 0, 0, 0.0]


def finished(name, seconds, gpu=None, **changes):
    """A record of a run that took so long."""
    made = config(**{"seed": 0} | changes)
    content = {"config": made, "results": {"tokens": grid.tokens(made)}}
    content |= {"provenance": {"seconds": seconds, "hardware": {"gpu": gpu}, "utc": ""}}
    records.write(records.folder() / f"{name}.json", content)


def test_cost_is_that_of_the_longest_runs_of_the_same_model(toy, slow):
    kind, _, _ = toy
    wanted = config(5, steps=1000)
    assert grid.cost(kind, [wanted]) == (6 * 7 * 4 * 30_000 / 400 / 3600, False)
    finished("toy-a", 8.0, steps=2)  # mostly the start
    finished("toy-b", 30.0, seed=1)
    finished("toy-c", 40.0, seed=2)
    finished("toy-d", 90.0, seed=3)
    finished("toy-e", 1.0, model="another", steps=99)
    finished("toy-f", 1.0, steps=99, stop_after=2)
    finished("toy-g", 1.0, gpu="Abacus 3000", steps=99)
    hours, measured = grid.cost(kind, [wanted, config(6, steps=100)])
    assert hours == pytest.approx(40.0 * 110 / 3600)  # 1,100 steps, and the median of runs of 10 took 40 s
    assert measured
    assert grid.plan(kind, [wanted, config(6, steps=1000)])["hours, about"] == round(hours / 1.1, 2)


def test_cost_of_jobs_on_gpus_is_not_guessed_from_this_cpu(toy, slow, monkeypatch):
    kind, _, _ = toy
    monkeypatch.setenv("DECONDENSE_DEVICE", "cuda")
    finished("toy-a", 40.0)
    assert np.isnan(grid.cost(kind, [config(5)]).hours)
    finished("toy-b", 4.0, gpu="Abacus 3000")
    assert grid.cost(kind, [config(5)]) == (pytest.approx(4.0 / 3600), True)


def test_cost_of_a_run_of_many_processes_counts_them_all(toy, slow):
    kind, _, _ = toy
    finished("toy-a", 40.0, processes=8)
    assert grid.cost(kind, [config(5, processes=8)]) == (pytest.approx(320 / 3600), True)


def test_nothing_to_train_costs_nothing(toy):
    assert grid.cost(toy[0], [config(0, steps=0)]) == (0.0, True)


def test_matrix_rate_is_that_of_a_machine():
    assert 1e7 < grid.matrix_rate(n=128, rounds=2) < 1e16
