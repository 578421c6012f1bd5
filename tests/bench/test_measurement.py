"""Both sides measured in processes of their own; the peer's package is stood for by one that is written out here."""

import os
import sys

import numpy as np
import pytest
import torch

from decondense import measurement
from decondense.base import timing
from decondense.bench import measurement as bench

PEER = """
from types import SimpleNamespace
import torch
def measure_embedding_condensation(model, tokenizer, *, texts, repetitions, max_length, **_):
    found = []
    for text in texts:
        z = torch.stack(model(**tokenizer(text), output_hidden_states=True).hidden_states)[:, 0]
        u = z / z.norm(dim=-1, keepdim=True)
        found.append(u @ u.mT)
    return SimpleNamespace(cossim_by_layer=torch.stack(found).mean(0).detach().numpy())
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    (tmp_path / "embedding_condensation.py").write_text(PEER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return sys.executable


def test_given_stream_is_measured_by_both_sides(peer):
    record = bench.given(3, 8, 2, peer, tokens=20, rounds=2).content
    table = timing.seconds(record["results"]["rows"])
    assert list(table) == ["forward", *bench.OURS, bench.PEERS_FORWARD, bench.THEIRS]
    assert table.shape == (2, 6)
    assert table.gt(0).all().all()
    assert record["results"]["agreement"]["mu"] < 1e-6
    assert record["results"]["agreement"]["rho"] == record["results"]["agreement"]["tau"] == 0
    assert record["config"]["peer"] == "embedding-condensation==2.0"


def test_model_is_measured_by_both_sides(peer):
    record = bench.real(2, 64, 1, peer, tokens=12, rounds=1).content
    assert record["results"]["agreement"]["mu"] < 1e-5
    assert record["config"]["kind"] == bench.REAL


def side(mu, density):
    return {"mu": mu, "density": density}


def test_agreement_is_the_largest_difference():
    flat, moved = np.full((3, 4), 0.5), np.full((3, 4), 0.5)
    moved[1] += [0.5, -0.5, 0, 0]  # a quarter of the pairs, one bin further
    found = bench.agreement(side([0.1, 0.2, 0.3], flat), side([0.1, 0.4, 0.3], moved))
    assert found.mu == pytest.approx(0.2)
    assert found.rho == pytest.approx(0.5)
    assert found.tau == pytest.approx(1 - 1 / 3)
    assert found.histogram == pytest.approx(0.25)


def test_weights_depend_on_the_shape_alone():
    a, b = bench.gpt2(2, 64), bench.gpt2(2, 64)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert (a.config.n_layer, a.config.n_embd, a.config.n_head) == (2, 64, 1)


def test_short_texts_alone_take_a_pass_each_and_together_fewer():
    model, passes = bench.gpt2(2, 64), []
    model.register_forward_hook(lambda _module, _args, output: passes.append(len(output.last_hidden_state)))
    ids = [list(range(n)) for n in (16, 12, 9, 8)]
    bench._mu(model, ids, 0)
    assert passes == [1, 1, 1, 1]
    passes.clear()
    bench._mu(model, ids, measurement.BATCH_TOKENS)
    assert passes == [4]


def test_short_texts_give_the_same_together(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    record = bench.short_texts(2, 64, 16, 9, rounds=1).content
    assert list(timing.seconds(record["results"]["rows"])) == [bench.ALONE, bench.TOGETHER]
    assert record["results"]["mu"] < 1e-6
