"""Packed benchmarks: their numbers are those of lm-eval on the same items, by any model and without lm-eval."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_benchmarks import OFFLINE, write_local
from toys import tiny as toy

from decondense import evaluate
from decondense.evaluate import packed, packing, pocket_tasks
from decondense.models import pocket

LIMITS = dict.fromkeys([*OFFLINE, *pocket_tasks.TASKS], 3)


@pytest.fixture
def tiny(small_pocket, monkeypatch):
    """(model, tokenizer) of the pocket family at toy size, with answers that differ clearly."""
    monkeypatch.setattr(pocket, "CONTEXT", 512)
    model = pocket._new_model(pocket.Size(2, 2), 0).eval()
    with torch.no_grad():
        model.lm_head.weight *= 10
    return model, pocket.tokenizer()


@pytest.fixture
def path(tiny, tmp_path, monkeypatch):
    """Every benchmark that needs no hub, three documents each, packed."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    write_local(tmp_path)
    (tmp_path / packed.FILE).write_bytes(packing.pack(*tiny, LIMITS, sources=["local"]))
    return tmp_path / packed.FILE


def by_lm_eval(tiny, tasks, limit):
    return evaluate.evaluate(*tiny, tasks, limit=limit, sources=["local"], progress=False)


@pytest.mark.parametrize("room", [1, 64, packed.ON_CPU])
def test_scores_are_those_of_lm_eval(tiny, path, monkeypatch, room):
    monkeypatch.setattr(packed, "ON_CPU", room)
    found, theirs = packed.score(tiny[0], packed.read(path), LIMITS), by_lm_eval(tiny, list(LIMITS), 3)
    pd.testing.assert_frame_equal(found.items, theirs.items, rtol=1e-4, atol=1e-4)
    assert found.tasks == theirs.tasks
    assert 0 < found.items.score.mean() < 1


def test_fewer_documents_and_tasks_in_another_order(tiny, path):
    limits = {"mmlu": 1, "pocket_cloze": 2}
    found, theirs = packed.score(tiny[0], packed.read(path), limits), by_lm_eval(tiny, ["mmlu"], 1)
    assert found.items.task.tolist() == ["mmlu"] * 2 + ["pocket_cloze"] * 2
    pd.testing.assert_frame_equal(found.items[:2], theirs.items, rtol=1e-4, atol=1e-4)
    assert found.tasks["mmlu"] == theirs.tasks["mmlu"]


def test_mixed_precision_is_near(tiny, path):
    exact, mixed = (packed.score(tiny[0], packed.read(path), {"piqa": 2}, dtype=dtype) for dtype in (None, "bfloat16"))
    assert 0 < np.abs(exact.items.logprob - mixed.items.logprob).max() < 0.5


def test_a_nan_of_the_model_is_a_nan_of_the_item(tiny, path):
    with torch.no_grad():
        tiny[0].lm_head.weight.fill_(float("nan"))
    items = packed.score(tiny[0], packed.read(path), {"piqa": 1, "truthfulqa_mc2": 1}).items
    assert items.score.isna().all()
    assert items.logprob.isna().all()


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"piq": 1}, "Unknown packed benchmark 'piq'. Did you mean 'piqa'?"),
        ({"arc_easy": 4}, "Of arc_easy the first 3 documents are packed, 4 are asked for: pack more."),
        ({"arc_easy": None}, "Of arc_easy the first 3 documents are packed, all are asked for: pack more."),
    ],
)
def test_what_was_not_packed_is_refused(tiny, path, limits, why):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        packed.score(tiny[0], packed.read(path), limits)
    assert str(caught.value).startswith(why)


def test_all_of_a_task_that_is_packed_whole(tiny, path):
    assert packed.score(tiny[0], packed.read(path), {"piqa": None}).tasks["piqa"]["full"]


def test_a_damaged_file(tmp_path):
    (tmp_path / packed.FILE).write_bytes(b"PK\3\4 no more")
    with pytest.raises(ValueError, match="holds no packed benchmarks, or it is damaged: copy it again"):
        packed.read(tmp_path / packed.FILE)
    with pytest.raises(FileNotFoundError):
        packed.read(tmp_path / "none.npz")


def test_batches_hold_no_more_than_there_is_room_for():
    ids = [np.zeros(n, dtype=np.uint32) for n in (5, 1, 4, 4, 9)]
    made = packed.Packed({}, [], ids, [1] * 5, [False] * 5)
    assert list(packed._batches(made, range(5), 8)) == [[1, 2], [3], [0], [4]]


def test_the_answer_is_of_the_tokens_alone():
    model = toy("gpt2").eval()
    logits = model(input_ids=torch.arange(6)[None]).logits[0].detach()
    value, greedy = packed.answer(logits[2:4], logits[2:4].argmax(-1))
    assert value == pytest.approx(float(logits[2:4].log_softmax(-1).amax(-1).sum()), rel=1e-6)
    assert greedy
