"""Losses probed at real layers: a toy model and text, and the record that keeps the numbers; what becomes of a cone."""

import numpy as np
import pandas as pd
import pytest
import torch

from decondense import corpora, metrics, models
from decondense.chapters.table1 import measurements
from decondense.losses import forces
from decondense.models import pocket

NAMES = ["dispersion", "l2_repel"]

pytestmark = pytest.mark.usefixtures("world")


def probed(model="pocket-small", names=NAMES, **how):
    return measurements.probed(
        model, "imdb", names, **{"max_length": 24, "sources": ["local"], "train_tokens": 0} | how
    )


def test_table_is_the_probe_of_each_hidden_state():
    table = probed().table
    model, tokenizer, _ = models.load("pocket-small", train_tokens=0)
    text = corpora.sample_texts(corpora.load("imdb", ["local"]), 1)
    ids = tokenizer(text, truncation=True, max_length=24, return_tensors="pt")["input_ids"]
    assert ids.shape == (1, 24)
    with torch.no_grad():
        states = model(ids, output_hidden_states=True).hidden_states
    assert list(table.index.names) == ["entry", "loss"]
    assert list(table.index) == [(entry, name) for entry in (1, 2) for name in NAMES]
    for entry in (1, 2):
        expected = forces.probe(states[entry][0], NAMES)
        pd.testing.assert_frame_equal(table.loc[entry], expected, check_names=False, rtol=1e-6)


@pytest.mark.parametrize(
    ("depths", "entries"), [((0.25, 0.5, 0.75, 1.0), [1, 2, 3]), ((1.0,), [3]), ((0.1,), [1]), ((1.0, 0.3), [1, 3])]
)
def test_depths_are_rounded_to_entries(depths, entries):
    table = probed("pocket-medium", depths=depths).table
    assert sorted(table.index.unique("entry")) == entries
    assert len(table) == len(entries) * len(NAMES)


def test_second_time_the_record_is_read(monkeypatch):
    first = probed()
    monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("loaded again"))
    second = probed()
    assert second.record == first.record
    pd.testing.assert_frame_equal(second.table, first.table)
    assert first.record.path.name.startswith("probe-pocket-small-imdb-seed0-")


def test_record_says_what_was_probed():
    content = probed(seed=2, train_tokens=128).record.content
    corpus = corpora.load("imdb", ["local"])
    assert content["config"]["names"] == NAMES
    assert content["results"]["corpus"] == {"name": "imdb", "sha256": corpus.sha256}
    model = content["results"]["model"]
    assert (model["train_tokens"], model["seed"]) == (128, 2)


@pytest.mark.parametrize(
    "change", [{"names": ["l2_repel"]}, {"depths": (1.0,)}, {"max_length": 16}, {"step": 0.1}, {"seed": 1}]
)
def test_another_setting_is_another_record(change):
    assert probed(**change).record.path != probed().record.path


def test_another_text_is_another_record(tmp_path):
    first = probed()
    path = tmp_path / "imdb" / "test_3000.jsonl"
    path.write_text("\n".join(path.read_text().split("\n")[1:]))
    assert probed().record.path != first.record.path


def test_step_and_length_reach_the_probe():
    short, long = probed(step=0.01).table, probed(step=0.1).table
    pd.testing.assert_series_equal(short["value"], long["value"])
    column = "change of mu"
    assert (short[column].xs("dispersion", level="loss") > long[column].xs("dispersion", level="loss")).all()
    assert (probed(max_length=12).table["value"] != short["value"]).all()


def test_only_a_pocket_model_has_tokens_to_train_on(monkeypatch, tiny_gpt2):
    toy = models.Loaded(tiny_gpt2, pocket.tokenizer(), {"source": "made here"})
    asked = []
    monkeypatch.setattr(models, "load", lambda name, **how: asked.append(how) or toy)
    with pytest.raises(IndexError):  # its tokenizer has more entries: the model was asked for, and that is all
        probed("some/gpt2")
    assert "train_tokens" not in asked[0]


def test_unknown_loss_is_an_error():
    with pytest.raises(ValueError, match="Unknown loss 'dispersal'"):
        probed(names=["dispersal"])


def test_what_becomes_of_the_cone():
    cloud = forces.cloud(9)
    made = {name: forces.flow(name, cloud, 7) for name in NAMES}
    table = measurements.what_becomes(cloud, made)
    assert list(table.index) == [*NAMES, "before"]
    last = torch.from_numpy(made["l2_repel"][-1])
    expected = [metrics.mean_cosine(last).off_diagonal, forces.elongation(last.numpy()), last.norm(dim=1).mean()]
    expected.append(forces.radial_share("l2_repel", cloud))
    assert table.loc["l2_repel"].tolist() == pytest.approx([float(value) for value in expected])
    assert table.loc["before", "mean norm"] == pytest.approx(1)
    assert np.isnan(table.loc["before", "radial share of the force"])
