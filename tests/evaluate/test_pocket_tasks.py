"""The pocket suite: items of what no pocket model was trained on, the same at every call."""

import json
from pathlib import Path

import numpy as np
import pytest

from decondense.corpora import documentation
from decondense.evaluate import pocket_tasks
from decondense.models import pocket


@pytest.fixture
def held_out(small_pocket):
    return pocket_tasks.held_out()


def rows(name):
    (config,) = pocket_tasks.data(name).overrides.values()
    path = Path(config["dataset_kwargs"]["data_files"]["test"])
    return path, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rng():
    return np.random.default_rng(0)


def test_held_out_paragraphs_are_the_end_of_the_stream(small_pocket, held_out):
    stream = pocket._tokens()
    encoded = [pocket.tokenizer().encode(p) for p in held_out]
    end = np.concatenate(encoded)
    assert small_pocket[-len(held_out) :] == held_out
    assert (stream[-len(end) :] == end).all()
    # All that is left out of it was trained on, but for the paragraph at the cut.
    assert 0 <= 0.05 * len(stream) - len(end) <= max(map(len, encoded)) + 1


def test_paragraph_whose_end_was_trained_on_is_left_out(small_pocket, held_out, monkeypatch):
    copied = " ".join(["some", "other", "words", "come", "before", "it", *held_out[3].split()[-6:]]) + "\n"
    monkeypatch.setattr(documentation, "paragraphs", lambda: [copied, *small_pocket])
    pocket.tokenizer.cache_clear()
    left = pocket_tasks.held_out()
    assert held_out[3] not in left
    assert held_out[-1] in left


def test_too_short_a_paragraph_is_left_out(small_pocket, monkeypatch):
    monkeypatch.setattr(documentation, "paragraphs", lambda: [*small_pocket, "Only five words are here.\n"])
    assert not any("Only" in p for p in pocket_tasks.held_out())


def test_cloze_asks_for_the_last_word():
    paragraphs = [
        "The sum of all of the\nentries is one value.\n",
        "It ends with the name NumPy.\n",
        "With a dot, i.e. it.\n",
    ]
    assert pocket_tasks.cloze(paragraphs, rng()) == [
        {"context": "The sum of all of the entries is one", "target": " value"}
    ]


def test_continuation_hides_the_right_end_among_others(held_out):
    made = pocket_tasks.continuation(held_out, rng())
    texts = {" ".join(p.split()) for p in held_out}
    assert len(made) == len(held_out)
    for row in made:
        assert f"{row['context']} {row['choices'][row['label']]}" in texts
        assert len(set(row["choices"])) == 4
        assert {len(choice.split()) for choice in row["choices"]} == {6}
        assert sum(f"{row['context']} {choice}" in texts for choice in row["choices"]) == 1


def test_place_of_the_right_end_is_drawn_evenly():
    paragraphs = [" ".join(f"w{n}x{i}" for i in range(12)) for n in range(400)]
    labels = [row["label"] for row in pocket_tasks.continuation(paragraphs, rng())]
    assert np.bincount(labels, minlength=4).min() > 70  # of 100 expected


@pytest.mark.parametrize("name", pocket_tasks.TASKS)
def test_items_are_made_once_and_depend_on_the_corpus(small_pocket, monkeypatch, name):
    path, first = rows(name)
    monkeypatch.setattr(pocket_tasks, "held_out", lambda: pytest.fail("made again"))
    assert rows(name) == (path, first)
    monkeypatch.undo()


@pytest.mark.parametrize("name", pocket_tasks.TASKS)
def test_same_items_from_an_empty_cache(small_pocket, tmp_path, monkeypatch, name):
    path, first = rows(name)
    path.unlink()
    assert rows(name)[1] == first
    assert 0 < len(first) <= pocket_tasks.ITEMS


def test_another_corpus_gives_other_items(small_pocket, monkeypatch):
    path, first = rows("pocket_continuation")
    monkeypatch.setattr(documentation, "paragraphs", lambda: small_pocket[::-1])
    pocket.tokenizer.cache_clear()
    other, second = rows("pocket_continuation")
    assert other != path
    assert second != first


def test_at_most_as_many_items_as_said(monkeypatch):
    monkeypatch.setattr(pocket_tasks, "ITEMS", 7)
    paragraphs = [" ".join(f"{'abc'[n % 3]}{i}x" for i in range(11)) + f" word{'abc'[n % 3]}." for n in range(50)]
    paragraphs = [f"{n} {p}" for n, p in enumerate(paragraphs)]
    assert len(pocket_tasks.cloze(paragraphs, rng())) == 7
    with_ends = [" ".join(f"w{n}x{i}" for i in range(12)) for n in range(50)]
    assert len(pocket_tasks.continuation(with_ends, rng())) == 7
