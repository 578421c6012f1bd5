"""Requests of lm-eval kept as token ids: the model is not run, and what is too long is cut as lm-eval cuts it."""

import numpy as np
import pandas as pd
import pytest

from decondense import evaluate
from decondense.evaluate import packed, packing, pocket_tasks
from decondense.models import pocket


@pytest.fixture
def made(small_pocket, tmp_path, monkeypatch):
    """Packs three items for a model of so many positions: (model, tokenizer, what was packed)."""

    def make(positions, task):
        monkeypatch.setattr(pocket, "CONTEXT", positions)
        model, tokenizer = pocket._new_model(pocket.Size(2, 2), 0).eval(), pocket.tokenizer()
        usual, model.forward = model.forward, None  # it is not run
        (tmp_path / packed.FILE).write_bytes(packing.pack(model, tokenizer, {task: 3}, sources=["local"]))
        model.forward = usual
        return model, tokenizer, packed.read(tmp_path / packed.FILE)

    return make


def test_a_request_is_a_prompt_and_what_follows_it(made):
    _, tokenizer, found = made(512, "pocket_cloze")
    docs = pocket_tasks.cloze(pocket_tasks.held_out(), np.random.default_rng(0))
    for doc, ids, span in zip(docs[:3], found.ids, found.spans, strict=True):
        assert tokenizer.decode(ids) == doc["context"] + doc["target"]
        assert tokenizer.decode(ids[-span:]) == doc["target"]
    assert [item["right"] for item in found.items] == [None] * 3
    assert found.cut == [False] * 3


def test_a_prompt_that_is_too_long_loses_its_beginning(made):
    model, tokenizer, found = made(10, "pocket_continuation")
    limits = {"pocket_continuation": 3}
    theirs = evaluate.evaluate(model, tokenizer, list(limits), limit=3, sources=["local"], progress=False)
    ours = packed.score(model, found, limits)
    assert max(map(len, found.ids)) == 11  # the last token is not put in
    assert ours.tasks == theirs.tasks
    assert ours.tasks["pocket_continuation"]["truncated"] > 0
    pd.testing.assert_frame_equal(ours.items, theirs.items, rtol=1e-4, atol=1e-4)
