"""Runs of conditions and seeds: configured, trained once, read from their records, and checked against them."""

import json

import numpy as np
import pytest

from decondense import models, records
from decondense.base import files
from decondense.models import pocket
from decondense.runs import grid, loop, midtraining, workers
from decondense.runs import store as trained_runs
from decondense.runs.run import Run

SHARED = {
    "steps": 3, "batch_size": 2, "length": 16, "learning_rate": 1e-2, "checkpoints": 3, "texts": 2, "text_length": 24,
    "held_out": 4, "sources": ["local"], "train_tokens": 0,
}  # fmt: skip
LABELS = ("none", "train", "dispersion")
CHANGES = {label: midtraining.CONDITIONS[label] for label in LABELS}
pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture(autouse=True)
def trained(small_pocket, tmp_path, monkeypatch):
    """The toy family and records of its own; trainings are in this process, and here are their configurations."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    done = []

    def train_all(configs, parameters, module):
        assert (parameters, module) == (midtraining._parameters("pocket-small"), "midtraining")
        for config in configs:
            done.append(config)
            midtraining.train(json.loads(json.dumps(config)))  # as a worker gets it

    monkeypatch.setattr(workers, "train_all", train_all)
    monkeypatch.setattr(pocket, "train_missing", lambda names, tokens: [pocket.load(name, tokens) for name in names])
    return done


def shared(model="pocket-small", corpus="documentation", **changes):
    return midtraining.setup(model, corpus, **SHARED | changes)


def runs(changes=CHANGES, seeds=(5,), **how):
    return midtraining.runs(shared(), changes, list(seeds), **how)


def forbid(monkeypatch):
    monkeypatch.setattr(workers, "train_all", lambda *_: pytest.fail("trained again"))


# --- what a run is asked to do --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["steps", "batch_size", "accumulation", "length", "checkpoints", "texts", "held_out", "learning_rate"]
)
@pytest.mark.parametrize("value", [0, -1])
def test_setup_refuses_what_is_not_positive(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be above 0, got {value}"):
        shared(**{name: float(value) if name == "learning_rate" else value})


def test_setup_refuses_more_checkpoints_than_steps():
    with pytest.raises(ValueError, match="4 checkpoints in 3 steps"):
        shared(checkpoints=4)


def test_setup_is_plain_and_whole():
    found = shared(tasks={"pocket_cloze": None}, sources=("local", "hub"))
    assert json.loads(json.dumps(found)) == found
    assert (found["tasks"], found["sources"]) == ({"pocket_cloze": None}, ["local", "hub"])
    assert found["train_tokens"] == 0
    assert found["few_shot"] == 1


def test_only_a_pocket_model_is_trained_first():
    assert "train_tokens" not in shared("gpt2")


def test_defaults_are_the_papers():
    given = midtraining.configuration(midtraining.setup("gpt2", "wikitext-103", steps=10) | {"loss": "dispersion"}, 0)
    expected = {"learning_rate": 5e-5, "weight": 0.1, "layers": "all", "temperature": None, "subsample": 256}
    assert {name: given[name] for name in expected} == expected
    assert not given["forgetting"]
    assert given["noise_alpha"] is None


def test_configuration_refuses_an_unknown_key():
    with pytest.raises(ValueError, match=r"No run knows 'wieght'\. Known: .*weight"):
        midtraining.configuration(shared() | {"wieght": 1.0}, 0)


@pytest.mark.parametrize("change", [{"weight": 3.0}, {"layers": "last"}, {"temperature": 0.5}, {"subsample": 8}])
def test_what_has_no_effect_is_no_part_of_the_configuration(change):
    plain = midtraining.configuration(shared(), 0)
    assert midtraining.configuration(shared() | change, 0) == plain
    dispersed = midtraining.configuration(shared() | {"loss": "dispersion"}, 0)
    assert midtraining.configuration(shared() | {"loss": "dispersion"} | change, 0) != dispersed


def test_conditions_are_those_that_training_knows():
    configs = [midtraining.configuration(shared() | change, 0) for change in midtraining.CONDITIONS.values()]
    assert len({json.dumps(config) for config in configs}) == len(midtraining.CONDITIONS) == 8
    assert sum(config["loss"] is not None for config in configs) == 4


# --- runs and records -----------------------------------------------------------------------------------------------


def test_runs_come_by_label_and_seed(trained):
    found = runs(seeds=(5, 7))
    expected = [("none", 5), ("train", 5), ("train", 7), ("dispersion", 5), ("dispersion", 7)]
    assert [(run.label, run.seed) for run in found] == expected
    assert len(trained) == 5
    for run in found:
        config = run.record.content["config"]
        assert config == midtraining.configuration(shared() | CHANGES[run.label], run.seed)
    first = np.stack([run.mu[0] for run in found])
    np.testing.assert_array_equal(first, first[:1].repeat(5, 0))
    assert len({run.validation_loss for run in found}) == 5


def test_order_of_labels_and_seeds_is_the_callers():
    found = runs({label: CHANGES[label] for label in ("dispersion", "none")}, seeds=(7, 5))
    assert [(run.label, run.seed) for run in found] == [("dispersion", 7), ("dispersion", 5), ("none", 7)]


def test_records_are_found_again_without_training(monkeypatch):
    first = runs(seeds=(5, 7))
    forbid(monkeypatch)
    assert [run.record for run in runs(seeds=(5, 7))] == [run.record for run in first]
    assert [run.record for run in runs({"train": {}}, seeds=(7,))] == [first[2].record]


def test_only_what_is_missing_is_trained(trained):
    runs({"train": {}})
    trained.clear()
    found = runs(seeds=(5, 7))
    assert [(config["loss"], config["steps"], config["seed"]) for config in trained] == [
        (None, 0, 5), (None, 3, 7), ("dispersion", 3, 5), ("dispersion", 3, 7)
    ]  # fmt: skip
    assert [run.label for run in found] == ["none", "train", "train", "dispersion", "dispersion"]


def test_one_configuration_under_two_labels_is_trained_once(trained):
    same = {"default": {}, "again": {"weight": 5.0}, "dispersion": {"loss": "dispersion"}}
    default, again, dispersion = runs(same)
    assert len(trained) == 2
    assert default.record == again.record != dispersion.record
    assert (default.label, again.label) == ("default", "again")


def test_names_of_records_say_what_they_are():
    found = runs(midtraining.CONDITIONS)
    names = [run.record.path.name.rsplit("-", 1)[0] for run in found]
    kinds = list(midtraining.CONDITIONS)
    kinds[kinds.index("decorrelation")] = "decorrelation_tokens"
    assert names == [f"midtraining-pocket-small-{kind}-seed5" for kind in kinds]


def test_an_unknown_change_is_refused_before_anything_is_trained(trained):
    with pytest.raises(ValueError, match="No run knows 'lambda'"):
        runs({"train": {}, "mine": {"lambda": 1.0}})
    assert trained == []


def test_other_code_or_surroundings_are_other_records(monkeypatch):
    (first,) = runs({"train": {}})
    with monkeypatch.context() as patch:
        patch.setattr("decondense.base.closure.fingerprint", lambda module: "another")
        (other,) = runs({"train": {}})
    monkeypatch.setattr(trained_runs, "surroundings", lambda config: {"device": "abacus"})
    (third,) = runs({"train": {}})
    assert len({first.record.path, other.record.path, third.record.path}) == 3
    assert first.results["curve"] == other.results["curve"] == third.results["curve"]


# --- a run that is killed -------------------------------------------------------------------------------------------


def leftovers():
    return [path.name for path in (files.cache_dir() / "midtraining").glob("*")]


def test_train_leaves_the_record_alone():
    config = midtraining.configuration(shared(), 5)
    record = midtraining.train(config)
    assert leftovers() == []
    assert record == midtraining._find(config, committed=False)
    assert record.content["config"] == config
    assert record.content["provenance"]["seconds"] > 0


def test_a_killed_run_goes_on_in_its_own_folder(monkeypatch):
    (whole,) = runs({"dispersion": CHANGES["dispersion"]})
    whole.record.path.unlink()
    config = midtraining.configuration(shared() | CHANGES["dispersion"], 5)
    end = loop._Watch.on_step_end

    def killed(self, args, state, control, **kwargs):
        end(self, args, state, control, **kwargs)
        if state.global_step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "LONG", 1)
    with monkeypatch.context() as patch:
        patch.setattr(loop._Watch, "on_step_end", killed)
        with pytest.raises(KeyboardInterrupt):
            midtraining.train(config)
    assert midtraining._find(config, committed=False) is None
    assert leftovers() == [whole.record.path.stem]  # the key of the record, so other code has another folder
    other = midtraining.train(config | {"seed": 7})  # not from this folder
    assert len(leftovers()) == 1
    again = Run("dispersion", 5, midtraining.train(config))
    assert leftovers() == []
    assert again.results == whole.results
    np.testing.assert_array_equal(again.mu, whole.mu)
    assert other.content["results"]["curve"] != again.results["curve"]


# --- committed records ----------------------------------------------------------------------------------------------


@pytest.fixture
def committed(monkeypatch, tmp_path):
    """Runs made on another machine, whose records the repository keeps; here there are none yet."""
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", str(tmp_path / "committed"))
        patch.setattr(trained_runs, "surroundings", lambda config: {"device": "abacus"})
        found = runs()
    assert not (tmp_path / "records").exists()
    return found


def test_committed_records_are_taken_and_copied(committed, monkeypatch, tmp_path):
    forbid(monkeypatch)
    found = runs()
    assert [run.record.content for run in found] == [run.record.content for run in committed]
    assert {run.record.path.parent for run in found} == {tmp_path / "records"}
    assert all(records.is_committed(run.record) for run in found)
    np.testing.assert_array_equal(found[2].mu, committed[2].mu)


def test_committed_records_are_left_if_not_wanted(committed, trained):
    trained.clear()
    found = runs(committed=False)
    assert len(trained) == 3
    assert not any(records.is_committed(run.record) for run in found)


def test_a_committed_record_of_another_configuration_is_not_taken(committed, trained):
    trained.clear()
    runs({"train": {"learning_rate": 2e-2}})
    assert len(trained) == 1


def test_fresh_ignores_committed_records(committed, trained, monkeypatch):
    trained.clear()
    monkeypatch.setenv("DECONDENSE_FRESH", "2999-01-01")
    monkeypatch.setattr(records, "provenance", lambda: {"utc": "2999-01-02T00:00:00+00:00"})
    found = runs()
    assert len(trained) == 3
    assert not any(records.is_committed(run.record) for run in found)
    assert [run.record.content["provenance"]["utc"][:4] for run in found] == ["2999"] * 3
    assert [run.results["curve"] for run in found] == [run.results["curve"] for run in committed]


def test_origin_counts_runs_by_where_they_come_from(committed, trained):
    found = runs(CHANGES | {"l2_repel": {"loss": "l2_repel"}})
    assert trained[-1]["loss"] == "l2_repel"
    table = midtraining.origin(found).set_index("from")
    assert table["runs"].to_dict() == {"committed record": 3, "this run": 1}
    assert list(table.columns) == ["made on", "commit", "machine", "torch", "runs"]
    made = found[0].record.content["provenance"]
    assert set(table["made on"]) <= {run.record.content["provenance"]["utc"][:10] for run in found}
    assert set(table["torch"]) == {made["packages"]["torch"]}
    assert table["machine"].iloc[0].startswith(f"{made['hardware']['cores']} cores, ")


def test_origin_names_the_gpu_and_copes_without_git(committed):
    content = json.loads(json.dumps(committed[0].record.content))
    content["provenance"]["hardware"]["gpu"], content["provenance"]["git_commit"] = "Abacus 3000", None
    (row,) = midtraining.origin([Run("a", 5, committed[0].record._replace(content=content))]).to_dict("records")
    assert (row["machine"], row["commit"], row["runs"]) == ("Abacus 3000", "", 1)


# --- the beginning made again ---------------------------------------------------------------------------------------


def test_check_run_agrees_with_its_own_record(trained):
    (run,) = runs({"dispersion": CHANGES["dispersion"] | {"checkpoints": 1}})
    trained.clear()
    table = midtraining.check_run(run, 2)
    assert [config["stop_after"] for config in trained] == [2]
    assert table["quantity"].tolist() == ["another corpus", "mu before training"] + [
        f"{name}, step {step}" for step in (1, 2) for name in ("loss_language", "loss_regulariser")
    ]
    assert table["agrees"].all()
    np.testing.assert_array_equal(table["now"], table["record"])  # the same machine
    assert table["record"].tolist()[2:] == [
        row[name] for row in run.results["curve"][:2] for name in ("loss_language", "loss_regulariser")
    ]
    midtraining.check_run(run, 2)
    assert len(trained) == 1


def tampered(run, **values):
    """The run with other values at its second step, and as much more at mu before training as `mu` says."""
    content = json.loads(json.dumps(run.record.content))
    content["results"]["curve"][1] |= {name: value for name, value in values.items() if name != "mu"}
    mu = run._arrays["mu"].copy()
    mu[0, :, 1] += values.get("mu", 0.0)
    changed = Run(run.label, run.seed, run.record._replace(content=content))
    vars(changed)["_arrays"] = run._arrays | {"mu": mu}
    return changed


@pytest.mark.parametrize(
    ("change", "row"),
    [({"mu": 0.02}, 1), ({"mu": -0.02}, 1), ({"loss_language": 9.0}, 4), ({"loss_regulariser": -9.0}, 5)],
)
def test_check_run_finds_a_record_that_this_code_does_not_give(change, row):
    (run,) = runs({"dispersion": CHANGES["dispersion"]})
    table = midtraining.check_run(tampered(run, **change), 2)
    assert table.index[~table["agrees"]].tolist() == [row]
    slight = tampered(run, mu=0.005, loss_language=run.curve["loss_language"][1] + 0.01)
    assert midtraining.check_run(slight, 2)["agrees"].all()


# --- before it starts -----------------------------------------------------------------------------------------------


def test_plan_counts_what_is_missing(monkeypatch):
    monkeypatch.setattr(grid, "matrix_rate", lambda: 1e5)
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 4)
    plan = midtraining.plan(shared(), CHANGES | {"again": {}}, [5, 7])
    assert plan[["runs", "to train"]].tolist() == [5, 5]
    assert plan["tokens"] == 4 * 3 * 2 * 16  # the model before training needs none
    expected = 6 * plan["tokens"] * midtraining._parameters("pocket-small") / (0.4 * 1e5) / 3600
    assert plan["hours, about"] == pytest.approx(expected, abs=0.006)
    assert expected > 0.1
    runs({"train": {}}, seeds=(5, 7))
    assert midtraining.plan(shared(), CHANGES, [5, 7])[["runs", "to train", "tokens"]].tolist() == [5, 3, 2 * 96]


def test_plan_takes_no_time_where_nothing_is_missing(monkeypatch):
    runs()
    monkeypatch.setattr(grid, "matrix_rate", lambda: pytest.fail("measured for nothing"))
    assert midtraining.plan(shared(), CHANGES, [5]).tolist() == [3, 0, 0, 0.0]


def test_plan_and_runs_mean_the_same(trained):
    plan = midtraining.plan(shared(), CHANGES | {"again": {}}, [5, 7])
    found = runs(CHANGES | {"again": {}}, seeds=(5, 7))
    assert plan["to train"] == len(trained) == len({run.record.path for run in found})
    assert plan["tokens"] == sum({run.record.path: run.results["tokens"] for run in found}.values())


@pytest.mark.parametrize("name", ["pocket-small", "pocket-medium"])
def test_parameters_of_a_pocket_model(name):
    model = pocket._new_model(pocket.SIZES[name], 0)
    assert midtraining._parameters(name) == pytest.approx(model.num_parameters(), rel=0.05)


def test_parameters_of_a_known_model():
    assert midtraining._parameters("gpt2") == models.table()["gpt2"]["parameters"]
