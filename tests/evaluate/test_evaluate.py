"""`evaluate` end to end: a random model of two blocks on the pocket suite and on made-up rows of every benchmark."""

import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_benchmarks import HUB, write_local
from toys import unchecked

from decondense import evaluate
from decondense.evaluate import harness, pocket_tasks
from decondense.models import pocket

POCKET = list(pocket_tasks.TASKS)
OFFLINE = [name for name in evaluate.PAPER_TASKS if name != "anli_r2"]


@pytest.fixture
def tiny(small_pocket, monkeypatch):
    """(model, tokenizer) of the pocket family at toy size, at initialisation, with room for long prompts."""
    monkeypatch.setattr(pocket, "CONTEXT", 512)
    return pocket._new_model(pocket.Size(2, 2), 0).eval(), pocket.tokenizer()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """DECONDENSE_DATA with every benchmark that can be had offline."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    write_local(tmp_path)


def run(tiny, tasks=tuple(POCKET), **how):
    return evaluate.evaluate(*tiny, tasks, **{"limit": 5, "sources": ["local"], "progress": False} | how)


def equal(one, other):
    pd.testing.assert_frame_equal(one.items, other.items)
    return one.tasks == other.tasks


def of(found, name):
    return found.items[found.items["task"] == name].reset_index(drop=True)


# --- items ----------------------------------------------------------------------------------------------------------


def likelihood(model, tokenizer, context, continuation):
    """Log-likelihood of a continuation, and whether greedy decoding gives it, by one forward pass."""
    before = tokenizer.encode(context)
    ids = tokenizer.encode(context + continuation)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, len(before) - 1 : -1]
    wanted = torch.tensor(ids[len(before) :])
    return float(logits.log_softmax(-1).gather(1, wanted[:, None]).sum()), bool((logits.argmax(-1) == wanted).all())


def documents(name):
    (task,) = harness.load(name, 0, ["local"]).leaves.values()
    return list(task.eval_docs)


def test_items_of_a_choice_are_those_of_forward_passes(tiny):
    items = run(tiny, ["pocket_continuation"], limit=None).items
    docs = documents("pocket_continuation")
    assert len(items) == len(docs) == 20
    for doc, score, logprob in zip(docs, items["score"], items["logprob"], strict=True):
        found = np.array([likelihood(*tiny, doc["context"], f" {choice}")[0] for choice in doc["choices"]])
        assert score == (found.argmax() == doc["label"])
        assert logprob == pytest.approx(
            np.log(np.exp(found - found.max())[doc["label"]] / np.exp(found - found.max()).sum()), abs=1e-4
        )


def test_items_of_a_cloze_are_those_of_forward_passes(tiny):
    items = run(tiny, ["pocket_cloze"]).items
    found = [likelihood(*tiny, doc["context"], doc["target"]) for doc in documents("pocket_cloze")[:5]]
    assert items["logprob"].tolist() == pytest.approx([value for value, _ in found], abs=1e-4)
    assert items["score"].tolist() == [greedy for _, greedy in found]


def test_score_of_truthfulqa_is_the_probability_of_all_true_answers(tiny, folder):
    items = run(tiny, ["truthfulqa_mc2"]).items
    assert np.exp(items["logprob"]).tolist() == pytest.approx(items["score"].tolist(), rel=1e-5)
    assert items["score"].between(0, 1, inclusive="neither").all()


def test_right_choice_of_winogrande_is_found(tiny, folder):
    """There the choices stand in the context, and the answer in place of the prompt."""
    items = run(tiny, ["winogrande"]).items
    for doc, logprob in zip(HUB["winogrande"]["validation"], items["logprob"], strict=True):
        start, end = doc["sentence"].split("_")
        found = [likelihood(*tiny, start + doc[f"option{n}"], f" {end.strip()}")[0] for n in (1, 2)]
        right = found[int(doc["answer"]) - 1]
        assert logprob == pytest.approx(right - np.logaddexp(*found), abs=1e-4)


@pytest.mark.parametrize("name", OFFLINE)
def test_every_benchmark_runs(tiny, folder, name):
    found = run(tiny, [name], limit=2)
    about = found.tasks[name]
    subjects = ["mmlu_anatomy", "mmlu_virology"] if name == "mmlu" else [name]
    assert found.items["subtask"].tolist() == [subject for subject in subjects for _ in range(2)]
    assert found.items["doc"].tolist() == [0, 1] * len(subjects)
    assert found.items["score"].between(0, 1).all()
    assert (found.items["logprob"] < 0).all()
    assert about["metric"] == "acc"
    assert about["shots"] == (1 if name in ("arc_easy", "arc_challenge", "medmcqa", "mmlu") else 0)
    assert about["fewshot_split"] == {"mmlu": "dev"}.get(name, "validation" if about["shots"] else None)
    assert about["source"].startswith("local files")
    assert about["items"] == len(found.items)
    assert about["tokens"] > 0


def test_shots_are_for_the_few_shot_tasks(tiny, folder):
    tasks = run(tiny, ["arc_easy", "piqa"], few_shot=3).tasks
    assert (tasks["arc_easy"]["shots"], tasks["piqa"]["shots"]) == (3, 0)
    assert run(tiny, ["arc_easy"], few_shot=0).tasks["arc_easy"]["fewshot_split"] is None


def test_limit_takes_the_first_and_more_than_there_are_is_the_full_set(tiny):
    few, full, more = (run(tiny, limit=limit) for limit in (3, None, 10_000))
    pd.testing.assert_frame_equal(full.items, more.items)
    for name in POCKET:
        pd.testing.assert_frame_equal(of(few, name), of(full, name)[:3])
        assert (few.tasks[name]["items"], few.tasks[name]["full"]) == (3, False)
        assert (more.tasks[name]["items"], more.tasks[name]["full"]) == (more.tasks[name]["of_items"], True)


def test_same_call_gives_the_same_numbers(tiny, folder):
    tasks = [*POCKET, "arc_easy"]
    assert equal(run(tiny, tasks), run(tiny, tasks))
    assert equal(run(tiny, tasks), run(tiny, tasks, batch_size=1))


def test_a_task_does_not_depend_on_the_others(tiny, folder):
    together = run(tiny, ["medmcqa", "arc_easy", "pocket_cloze"])
    for name in together.tasks:
        alone = run(tiny, [name])
        pd.testing.assert_frame_equal(alone.items, of(together, name))
        assert alone.tasks[name] == together.tasks[name]


def test_hash_tells_prompts_apart(tiny, folder):
    one, other, shots = (run(tiny, ["arc_easy"], **how) for how in ({}, {"seed": 5}, {"few_shot": 2}))
    assert one.tasks["arc_easy"]["hash"] != other.tasks["arc_easy"]["hash"]
    assert (one.items["hash"] != shots.items["hash"]).all()
    assert one.tasks["arc_easy"]["sha256"] == shots.tasks["arc_easy"]["sha256"]


def test_long_prompts_lose_their_beginning_and_are_counted(tiny):
    whole, cut = (run(tiny, ["pocket_continuation"], max_length=n) for n in (None, 12))
    assert whole.tasks["pocket_continuation"]["truncated"] == 0
    assert cut.tasks["pocket_continuation"]["truncated"] > 0
    assert (whole.items["hash"] == cut.items["hash"]).all()


def test_broken_model_gives_no_score(tiny):
    with torch.no_grad():
        tiny[0].transformer.ln_f.weight.fill_(torch.nan)
    found = run(tiny)
    assert found.items[["score", "logprob"]].isna().all(axis=None)
    assert found.table()["acc (%)"].isna().all()


# --- what is left behind --------------------------------------------------------------------------------------------


def test_nothing_is_left_changed(tiny):
    model, tokenizer = tiny
    model.train()
    model.transformer.h[0].eval()
    modes = [module.training for module in model.modules()]
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    states = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    run(tiny)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert tokenizer.pad_token is None
    assert np.random.get_state()[1].tolist() == states[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


def test_pythons_generator_is_left_as_it_was(tiny):
    """Seen without the type checker of these tests, which draws from it too."""
    state = random.getstate()
    with evaluate.untouched(*tiny):
        random.random()
        inside = random.getstate()
    assert inside != state
    assert random.getstate() == state


def test_model_in_training_is_scored_without_dropout(tiny):
    model, _ = tiny
    for block in model.transformer.h:
        block.mlp.dropout.p = 0.5
    quiet = run(tiny)
    model.train()
    assert equal(quiet, run(tiny))


def test_mixed_precision_and_other_dtypes(tiny):
    exact, mixed, cast = run(tiny), run(tiny, dtype="bfloat16"), run((tiny[0].to(torch.bfloat16), tiny[1]))
    for other in (mixed, cast):
        difference = (other.items["logprob"] - exact.items["logprob"]).abs()
        assert 0 < difference.max() < 0.5
    assert tiny[0].dtype == torch.bfloat16


def test_only_one_bar_is_shown(tiny, capfd):
    run(tiny, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "evaluate pocket_cloze" in shown.err
    assert "Tokenizing" not in shown.err
    run(tiny)
    assert capfd.readouterr() == ("", "")


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"tasks": []}, "No task given. Known: anli_r2, .*pocket_cloze"),
        ({"limit": 0}, "limit must be a whole number of at least 1, got 0"),
        ({"limit": 0.5}, "limit must be a whole number of at least 1, got 0.5"),
        ({"few_shot": -1}, "few_shot must be a whole number of at least 0, got -1"),
        ({"batch_size": "auto"}, "batch_size must be a whole number of at least 1, got 'auto'"),
        ({"max_length": 1}, "max_length must be a whole number of at least 2, got 1"),
        ({"max_length": 513}, "max_length is 513, the model has 512 positions"),
        ({"dtype": "bf16"}, "Unknown dtype for mixed precision 'bf16'. Did you mean 'bfloat16'"),
        ({"sources": ["pipy"]}, "Unknown source 'pipy'. Did you mean 'pypi'"),
    ],
)
def test_bad_input_is_refused(tiny, how, message):
    with pytest.raises(ValueError, match=message):
        unchecked(evaluate.evaluate)(*tiny, **how)


def test_tokenizer_without_a_first_token_is_refused(tiny, tiny_tokenizer):
    with pytest.raises(ValueError, match="neither a bos nor an eos token"):
        run((tiny[0], tiny_tokenizer))


def test_data_that_cannot_be_had(tiny):
    with pytest.raises(FileNotFoundError, match="Could not get the data of 'anli_r2'"):
        run(tiny, ["anli_r2"], sources=evaluate.SOURCES)


# --- table and file -------------------------------------------------------------------------------------------------


@pytest.fixture
def known():
    scores = {"a": [1, 1, 0, 0], "b": [0.5, 0.25]}
    rows = [
        (task, task, i, f"{task}{i}", float(s), -1.5) for task, of_one in scores.items() for i, s in enumerate(of_one)
    ]
    return evaluate.Evaluation(pd.DataFrame(rows, columns=evaluate.COLUMNS), {"a": {"limit": 4}, "b": {"limit": None}})


def test_table_by_hand(known):
    table = known.table()
    errors = [100 * np.sqrt(0.5 * 0.5 / 3), 100 * np.sqrt(2 * 0.125**2) / np.sqrt(2)]
    assert table.index.tolist() == ["a", "b", "average"]
    assert table["acc (%)"].tolist() == [50, 37.5, 43.75]
    assert table["error"].tolist() == pytest.approx([*errors, np.hypot(*errors) / 2])
    assert table["items"].tolist() == [4, 2, 6]


def test_file_is_read_back(tmp_path, tiny):
    found = run(tiny)
    path = tmp_path / "found.npz"
    path.write_bytes(found.to_bytes())
    assert equal(evaluate.Evaluation.load(path), found)
    with np.load(path, allow_pickle=False) as file:
        assert set(file) == {"header", *evaluate.COLUMNS}


def test_same_result_gives_the_same_bytes(known):
    assert known.to_bytes() == known.to_bytes()


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_damaged_file_is_refused(tmp_path, known, content):
    path = tmp_path / "found.npz"
    path.write_bytes(known.to_bytes()[:-40] if content is None else content)
    with pytest.raises(ValueError, match="is not a saved Evaluation, or it is damaged"):
        evaluate.Evaluation.load(path)


def test_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        evaluate.Evaluation.load(tmp_path / "none.npz")


def test_lm_eval_is_imported_only_when_it_is_used():
    code = "import sys, decondense.evaluate; print('lm_eval' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_tasks_of_the_paper():
    assert len(evaluate.PAPER_TASKS) == 10
    assert [name for name, task in evaluate.PAPER_TASKS.items() if task.few_shot] == [
        "arc_easy",
        "arc_challenge",
        "medmcqa",
        "mmlu",
    ]
