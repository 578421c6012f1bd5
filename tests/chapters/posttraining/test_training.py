"""Small runs by TRL: what their records have, that a seed gives the same again, and what is refused."""

import json

import numpy as np
import pytest
from toys import module_beside

from decondense import records
from decondense.chapters.posttraining import arithmetic, grade_school, training
from decondense.models import pocket
from decondense.records import Record

pytest.importorskip("trl", reason="TRL is not installed")
pytest.importorskip("datasets", reason="datasets is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of TRL, about itself

SMALL = module_beside(__file__, "made").SMALL
START, DATA, TRAINING, LOOKED = SMALL.values()


@pytest.fixture(autouse=True)
def own_records(tmp_path, monkeypatch, small_pocket):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path))


def run(method="sft", loss=None, seed=0, start=START, data=DATA, **change):
    return training.run(method, start, data, TRAINING | change, LOOKED, seed, loss, 1.0)


@pytest.mark.parametrize("method", training.METHODS)
def test_each_method_moves_the_model_and_the_loss_moves_it_further(method):
    made = {loss: run(method, loss) for loss in (None, "dispersion")}
    for record in made.values():
        results = record.content["results"]
        assert [look["step"] for look in results["course"]] == [0, 1, 2]
        assert results["course"][0]["kl_text"] == 0
        assert len(results["logged"]) == 2
        assert results["left_out"]["prompt too long"] == 0
        with np.load(record.arrays) as file:
            assert file["text"].shape == file["own"].shape == (3, 2, 3)
            assert file["tokens"].tolist() == [12, 5]
    plain, spread = (made[loss].content["results"] for loss in (None, "dispersion"))
    assert plain["course"][0] == spread["course"][0]
    assert spread["course"][-1]["kl_text"] > 0
    assert spread["logged"][0]["loss_regulariser"] < 0 == plain["logged"][0]["loss_regulariser"]
    assert made["dispersion"].path.name.startswith(f"after-pretraining-{method}-dispersion-seed0-")


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(monkeypatch, tmp_path):
    first = run("grpo", "dispersion").content["results"]
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "again"))
    assert run("grpo", "dispersion").content["results"] == first
    assert run("grpo", "dispersion", seed=1).content["results"]["course"][1:] != first["course"][1:]


def test_a_check_run_gives_what_the_record_has():
    table = training.check(run())
    assert table.agrees.all()
    assert len(table) == 5
    np.testing.assert_allclose(table.record, table.now, atol=1e-6)


@pytest.mark.parametrize("name", ["kl_text", "kl_answers", "right"])
def test_a_check_run_of_other_numbers_disagrees(name):
    record = run()
    course = [look | {name: 1.5 * look[name]} for look in record.content["results"]["course"]]
    other = record.content | {"results": record.content["results"] | {"course": course}}
    table = training.check(Record(record.path, other, record.arrays))
    assert table.agrees.sum() == len(table) - 1


def test_a_constant_reward_is_said_before_training(monkeypatch):
    monkeypatch.setattr(arithmetic, "reward", lambda *_: 0.5)
    monkeypatch.setattr(training, "courses", None)
    with pytest.raises(ValueError, match=r"All 4 answers of the start have the reward 0\.5: GRPO has no gradient"):
        run("grpo")


COMMITTED = sorted(records.committed_folder().glob("after-pretraining-*.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_record_is_found_by_the_arguments_that_made_it(path, monkeypatch):
    monkeypatch.setattr(training, "_trained", lambda config: pytest.fail("it has a record"))
    config = json.loads(path.read_text(encoding="utf-8"))["config"]
    names = ("method", "start", "data", "training", "looked", "seed", "loss")
    given = {name: config[name] for name in names} | {"weight": config["weight"] or 0.1}
    found = training.run(**given)
    assert found.path.name == path.name
    assert found.content["config"] == config


def test_problems_of_a_set_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "gsm8k").mkdir()
    for split in ("train", "test"):
        rows = [{"question": f"{n} and {split}?", "answer": f"{'so ' * (n % 2)}{n} is it\n#### {n}"} for n in range(40)]
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setattr(pocket, "CONTEXT", 256)
    grade_school.read.cache_clear()
    data = {"name": grade_school.NAME, "problems": 40, "held_out": 12}
    start = START | {"sources": ["local"], "train_tokens": 4096}
    results = {method: run(method, start=start, data=data).content["results"] for method in training.METHODS}
    grade_school.read.cache_clear()
    assert results["sft"]["model"]["data"]["source"].startswith("local file gsm8k/train.jsonl")
    assert results["dpo"]["left_out"]["equal answers"] > 0
    assert set(results["grpo"]["rewards_of_start"]) <= {0.0, arithmetic.A_NUMBER, 1.0}
    assert all(len(each["course"]) == 3 for each in results.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": {"name": "openai/gsm"}}, "Unknown data set 'openai/gsm'. Did you mean 'openai/gsm8k'"),
        ({"method": "ppo"}, "Unknown method 'ppo'"),
        ({"looks": [1]}, "last look must be after the last step, 2"),
        ({"looks": []}, "last look must be after the last step"),
        ({"loss": "dispersal"}, "Did you mean 'dispersion'"),
    ],
)
def test_what_cannot_be_run_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        run(**change)
