"""Untrained models by record: what they are made of, and what they agree with."""

import json

import numpy as np
import pytest
import transformers
from toys import TINY

from decondense import corpora, measurement, models, records
from decondense.models import catalogue, streaming
from decondense.surveys import Measured, untrained

HOW = {"tokenizer": "pocket-small", "n_texts": 2, "max_length": 32, "sources": ["local"]}


@pytest.fixture
def world(small_pocket, tmp_path, monkeypatch):
    """Two tiny architectures by name, and a local corpus."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    rng = np.random.default_rng(0)
    words = np.array(" ".join(small_pocket[:5]).split())
    rows = [json.dumps({"text": " ".join(rng.choice(words, 100)) + "\n"}) for _ in range(400)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb/test_3000.jsonl").write_text("\n".join(rows))
    table = {
        name: {"hub": f"Lab/{name}", "family": family, "architecture": TINY[kind][1], "config": TINY[kind][2]}
        for name, family, kind in (("a", "A", "gpt2"), ("b", "B", "olmo-3"))
    }
    for room in (models, catalogue):
        monkeypatch.setattr(room, "table", lambda: table | {"c": {"hub": "Lab/c", "family": "C"}})
    return tmp_path


def survey(names=("a",), seeds=(0,), **how):
    return untrained.survey(names, seeds, "imdb", **HOW | how)


def test_result_is_that_of_the_parts(world):
    (found,) = survey(seeds=[3])["a"]
    tokens = models.load_tokenizer("pocket-small")
    texts = corpora.sample_texts(corpora.load("imdb", ["local"]), 2, first_seed=6)
    ids = [tokens(text, truncation=True, max_length=32)["input_ids"] for text in texts]
    config, ids = streaming.with_vocabulary(transformers.GPT2Config(**TINY["gpt2"][2]), ids)
    expected = measurement.measure(streaming.streamed(config, 3), None, ids, max_length=32, progress=False)
    np.testing.assert_array_equal(found.condensation.mu_per_text, expected.mu_per_text)
    assert found.condensation.name == "a"
    assert found.record.content["results"]["rho"] == expected.rho
    assert found.record.content["results"]["model"]["source"] == "random initialisation, block by block"


def test_every_seed_of_every_model_has_a_record_of_its_own(world):
    found = survey(["a", "b"], [0, 1])
    assert list(found) == ["a", "b"]
    names = [m.record.path.name for members in found.values() for m in members]
    assert [name.rsplit("-", 1)[0] for name in names] == [f"fig4-init-{m}-seed{s}" for m in "ab" for s in (0, 1)]
    assert found["a"][0].condensation.mu[-1] != found["a"][1].condensation.mu[-1]


def test_committed_record_is_taken_though_the_code_is_another(world, monkeypatch):
    (kept,) = survey()["a"]
    (world / "records").rename(world / "committed")
    monkeypatch.setattr("decondense.base.closure.fingerprint", lambda module: "another")
    monkeypatch.setattr(untrained, "_compute", lambda _: pytest.fail("measured again"))
    (found,) = survey()["a"]
    assert found.record.content == kept.record.content
    assert records.is_committed(found.record)


def test_check_run_measures_again_and_agrees(world, monkeypatch):
    (kept,) = survey()["a"]
    calls, compute = [], untrained._compute
    monkeypatch.setattr(untrained, "_compute", lambda config: calls.append(config) or compute(config))
    table = untrained.check_run(kept)
    assert calls == [kept.record.content["config"]]
    assert table.quantity.tolist() == ["μ, largest difference of an entry", "ρ", "τ"]
    assert table.agrees.all()
    assert table.now[0] == 0


def test_check_run_says_where_a_record_is_not_what_the_code_gives(world):
    (kept,) = survey()["a"]
    shifted = type(kept.condensation)(**vars(kept.condensation) | {"mu_per_text": kept.condensation.mu_per_text + 0.01})
    table = untrained.check_run(Measured(shifted, kept.record))
    assert table.agrees.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"names": ["a", "d"]}, "Unknown model 'd'"),
        ({"names": ["a", "c"]}, "Unknown architecture of model 'c'.*Known: a, b"),
        ({"dtype": "float8"}, "Unknown dtype 'float8'"),
    ],
)
def test_bad_names_are_refused_before_anything_is_measured(world, monkeypatch, how, message):
    monkeypatch.setattr(untrained, "_compute", lambda _: pytest.fail("measured"))
    with pytest.raises(ValueError, match=message):
        survey(**how)


def test_a_repeated_text_has_so_many_different_tokens(world):
    found = untrained.repeated("a", [1, 4], [0, 1], max_length=32)
    assert [len(members) for members in found.values()] == [2, 2]
    one, four = (members[0].condensation for members in found.values())
    same = [[n % 4 for n in range(32)]]
    config, ids = streaming.with_vocabulary(transformers.GPT2Config(**TINY["gpt2"][2]), same)
    assert config.vocab_size == 4
    expected = measurement.measure(streaming.streamed(config, 0), None, ids, max_length=32, progress=False)
    np.testing.assert_array_equal(four.mu, expected.mu)
    assert one.mu[0] > four.mu[0]  # positions alone tell the tokens apart
    names = [m.record.path.name.rsplit("-", 1)[0] for m in found[4]]
    assert names == ["fig4-repeated-a-seed0", "fig4-repeated-a-seed1"]


@pytest.mark.parametrize("count", [0, 33])
def test_a_text_repeats_at_least_one_token_and_no_more_than_it_has(world, count):
    with pytest.raises(ValueError, match=f"A text of 32 tokens repeats 1 to 32 of them, got {count}"):
        untrained.repeated("a", [count], [0], max_length=32)


def test_families_keep_the_order():
    found = {name: [] for name in ("bloom-560m", "gpt2", "bloom-1b1")}
    assert {f: list(g) for f, g in untrained.families(found).items()} == {
        "Bloom": ["bloom-560m", "bloom-1b1"],
        "GPT2": ["gpt2"],
    }
