"""What losses push: a toy model and text with the record that keeps the numbers, a cone of tokens, claims, figures."""

import base64
import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from decondense import corpora, metrics, models, records
from decondense.chapters import table1
from decondense.losses import forces
from decondense.models import pocket
from decondense.paper.verdicts import NOT_REPRODUCED, REPRODUCED
from decondense.plots import RED

NAMES = ["dispersion", "l2_repel"]
CLOUD = forces.cloud(9)


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture(autouse=True)
def world(small_pocket, tmp_path, monkeypatch):
    """A local corpus of 400 rows of 100 words, and a folder for records."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    rng = np.random.default_rng(0)
    words = np.array(" ".join(small_pocket[:5]).split())
    lines = [json.dumps({"text": " ".join(rng.choice(words, 100)) + "\n"}) for _ in range(400)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(lines))


def probed(model="pocket-small", names=NAMES, **how):
    return table1.probed(model, "imdb", names, **{"max_length": 24, "sources": ["local"], "train_tokens": 0} | how)


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


# --- a cone of tokens -----------------------------------------------------------------------------------------------


def flows(names=NAMES, steps=7):
    return {name: forces.flow(name, CLOUD, steps) for name in names}


def test_what_becomes_of_the_cone():
    made = flows()
    table = table1.what_becomes(CLOUD, made)
    assert list(table.index) == [*NAMES, "before"]
    last = torch.from_numpy(made["l2_repel"][-1])
    expected = [metrics.mean_cosine(last).off_diagonal, forces.elongation(last.numpy()), last.norm(dim=1).mean()]
    expected.append(forces.radial_share("l2_repel", CLOUD))
    assert table.loc["l2_repel"].tolist() == pytest.approx([float(value) for value in expected])
    assert table.loc["before", "mean norm"] == pytest.approx(1)
    assert np.isnan(table.loc["before", "radial share of the force"])


# --- claims ---------------------------------------------------------------------------------------------------------

TURNED = {"force": -1.0, "elongation": 3.0, "mean cosine": 0.9, "change of norm in %": 1.0}  # against every claim


def claims(turned=()):
    """On tables for which every claim holds, but for those columns that are turned."""
    value = lambda name, holds: TURNED[name] if name in turned else holds
    push = value("force", 1.0)
    angles = pd.DataFrame({"dispersion": push, "orthogonalization": [push, 0.0 if push > 0 else 0.1]}, index=[45, 135])
    after = [value("elongation", 1.0), value("mean cosine", 0.0)]
    table = pd.DataFrame({"decorrelation": after, "l2_repel": after, "before": [2.0, 0.5]}).T
    table.columns = ["elongation", "mean cosine"]
    layer = pd.DataFrame({"change of norm in %": [value("change of norm in %", -5.0)]}, index=["l2_repel"])
    return table1.claims(angles, table, layer)


@pytest.mark.parametrize(
    ("turned", "fail"),
    [([], []), (["force"], [0, 1, 2]), (["elongation"], [3]), (["mean cosine"], [4]), (["change of norm in %"], [5])],
)
def test_each_claim_rests_on_its_column(turned, fail):
    expected = [NOT_REPRODUCED if number in fail else REPRODUCED for number in range(6)]
    assert [claim.verdict.word for claim in claims(turned)] == expected


def test_committed_verdicts_are_those_of_the_losses():
    """All but the last, which is of a real layer: the forces need no record."""
    names = ["dispersion", "decorrelation", "l2_repel", "orthogonalization"]
    cloud = forces.cloud()
    table = table1.what_becomes(cloud, {name: forces.flow(name, cloud) for name in names})
    layer = pd.DataFrame({"change of norm in %": [-5.0]}, index=["l2_repel"])
    found = table1.claims(forces.by_angle(names), table, layer)
    said = json.loads((records.committed_folder() / "verdicts-table1.json").read_text())["claims"]
    assert [claim.as_dict() for claim in found][:5] == said[:5]
    assert found[5].claim == said[5]["claim"]


# --- figures --------------------------------------------------------------------------------------------------------


def test_forces_are_divided_by_their_largest_size():
    table = pd.DataFrame({"a": [1.0, -4.0, 2.0], "b": [0.1, 0.2, 0.1], "none": 0.0}, index=[10, 90, 170])
    figure = table1.force_curves(table)
    figure.canvas.draw()
    a, b, none = (line.get_ydata() for line in figure.axes[0].lines[:3])
    np.testing.assert_allclose(a, [0.25, -1, 0.5])
    np.testing.assert_allclose(b, [0.5, 1, 0.5])
    assert np.isnan(none).all()


@pytest.mark.parametrize("names", [NAMES, ["orthogonalization"]])
def test_vector_fields_have_a_dot_and_an_arrow_for_each_token(names):
    figure = table1.vector_fields(names, CLOUD, length=0.3)
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == names
    for axis, name in zip(figure.axes, names, strict=True):
        _, dots, arrows = axis.collections
        np.testing.assert_allclose(np.stack(dots._offsets3d, axis=1), CLOUD)
        assert to_hex(arrows.get_color()[0]) == RED
        heads, tails = np.stack(arrows._segments3d[:9], axis=1)  # the shafts come first
        push = forces.force(name, CLOUD).numpy()
        np.testing.assert_allclose(tails, CLOUD)
        np.testing.assert_allclose(heads - tails, push / np.linalg.norm(push, axis=1).max() * 0.3)


def test_no_force_is_drawn_without_a_warning():
    table1.vector_fields(["orthogonalization"], torch.eye(3, dtype=torch.float64)).canvas.draw()


class Page(HTMLParser):
    """The attributes of each element by its name."""

    def __init__(self, html):
        super().__init__()
        self.elements = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.setdefault(tag, []).append(dict(attrs))


def frames(html):
    return re.findall(r'frames\[\d+\] = "(data:image/png;base64,[^"]*)"', html)


def test_the_animation_has_a_frame_every_so_many_steps_and_first_shows_the_last():
    html = table1.animation(flows(), every=3).data
    images = frames(html)
    assert len(set(images)) == 3  # steps 0, 3, 6
    for image in images:
        assert base64.b64decode(image.split(",")[1], validate=True).startswith(b"\x89PNG")
    (shown,) = Page(html).elements["img"]
    assert shown["src"] == images[-1]
    assert shown["alt"]


def test_the_animation_needs_nothing_from_outside():
    html = re.sub(r"base64,[^\"]*", "", table1.animation(flows(steps=1)).data)
    assert not re.search(r"https?:|//[a-z]|<link|url\(|src=\"(?!data:)", html)
    assert "fa-" not in html
    elements = Page(html).elements
    assert len(elements["button"]) == 9
    assert "i" not in elements


def test_two_animations_on_one_page_have_ids_of_their_own():
    first, second = (Page(table1.animation(flows(steps=1)).data) for _ in range(2))
    ids = lambda page: {entry["id"] for tag in page.elements.values() for entry in tag if "id" in entry}
    assert len(ids(first)) == len(ids(second)) > 0
    assert not ids(first) & ids(second)
