"""The process that measures one side: a stream that is given, and what it answers."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from decondense import metrics
from decondense.base import timing
from decondense.bench import child

pytestmark = pytest.mark.usefixtures("frozen")  # memory is tidied before each call that is measured

STREAM = {"layers": 3, "features": 6}


@pytest.fixture(autouse=True)
def loaded(monkeypatch):
    monkeypatch.setattr(child, "loaded", {})
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    child.answer(do="load", model=STREAM, texts=3, tokens=10, seed=1, threads=1)
    child.answer(do="forward", texts=2)
    return child.loaded


@pytest.fixture
def peer(monkeypatch):
    """A package of the peer's name with a function of its signature, written out here."""

    def measure(model, tokenizer, *, texts, repetitions, max_length, plot, save_path, show_progress):
        assert (repetitions, max_length, plot, save_path, show_progress) == (len(texts), 10, False, None, False)
        total = 0
        for text in texts:
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
            z = torch.stack(model(**ids, output_hidden_states=True).hidden_states)[:, 0]
            u = z / z.norm(dim=-1, keepdim=True)
            total = total + u @ u.mT
        return SimpleNamespace(cossim_by_layer=(total / len(texts)).numpy())

    package = SimpleNamespace(measure_embedding_condensation=measure)
    monkeypatch.setitem(sys.modules, "embedding_condensation", package)


def test_given_stream_is_what_measure_sees(loaded):
    result = child.ours("averaged")
    expected = [metrics.mean_cosine(state[0]).all_pairs.item() for state in loaded["model"].states]
    np.testing.assert_allclose(result.mu_per_text, [expected, expected])
    assert len(expected) == 4
    assert np.all(np.diff(expected) > 0)


def test_given_stream_gives_hidden_states_as_a_model_does(loaded):
    output = loaded["model"](loaded["ids"], output_hidden_states=True)
    assert [tuple(h.shape) for h in output.hidden_states] == [(2, 10, 6)] * 4
    assert torch.equal(output.hidden_states[-1], output.last_hidden_state)


@pytest.mark.parametrize("case", ["forward", "mean cosine", "pooled", "averaged"])
def test_each_case_has_a_cost(case):
    seconds, _ = child.answer(do=case, texts=3)["cost"]
    assert seconds > 0


def test_both_sides_give_the_same_numbers(peer):
    ours, theirs = (child.answer(do="numbers", texts=2, case=case) for case in ("averaged", "matrices"))
    np.testing.assert_allclose(ours["mu"], theirs["mu"], rtol=1e-5)
    assert np.shape(ours["density"]) == np.shape(theirs["density"]) == (4, 128)
    np.testing.assert_allclose(np.sum(theirs["density"], 1), 64)
    assert json.loads(json.dumps(theirs)) == theirs
    assert child.answer(do="matrices", texts=3)["cost"][0] > 0


def test_a_model_is_loaded_from_its_folder(tmp_path, loaded, tiny_gpt2):
    tiny_gpt2.base_model.save_pretrained(tmp_path)
    child.answer(do="load", model=str(tmp_path), texts=2, tokens=12, seed=0, threads=1)
    loaded["ids"] = loaded["all ids"] % 8
    assert type(loaded["model"]) is type(tiny_gpt2.base_model)
    assert child.ours(None).mu.shape == (len(tiny_gpt2.base_model.h) + 1,)


def test_file_runs_by_its_path_without_the_package():
    with timing.Child([sys.executable, "-P", child.__file__], PYTHONPATH="") as process:
        how = {"model": STREAM, "texts": 1, "tokens": 4, "seed": 0, "threads": 1}
        assert process.ask(do="load", **how) == {"torch": torch.__version__}
        assert len(process.ask(do="forward", texts=1)["cost"]) == 2
