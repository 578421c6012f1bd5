"""The items as data: whole, in order of worth, with designs that see what they ask for."""

import json

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from decondense.campaign import carried
from decondense.paper import designs
from decondense.runs import items

GRIDS = [name for name in items.names() if items.entry(name)["kind"] == "runs"]
FROM_SCRATCH = [name for name in GRIDS if name != "midtraining"]


def parameters(item, change):
    """Of a model with the vocabulary of the pocket tokenizer."""
    shape = {**item.shared.shape, **change.get("shape", {})}
    config = GPT2Config(vocab_size=4096, n_positions=512, **{k: v for k, v in shape.items() if k != "architecture"})
    with torch.device("meta"):
        return GPT2LMHeadModel(config).num_parameters()


def test_the_items_in_order_of_worth():
    grids = ["family", "midtraining", "width", "pretraining", "anti-collapse"]
    assert items.names() == ["speed", *grids, "capacity", "posttraining"]


def test_an_unknown_item_names_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown item 'famly'. Did you mean 'family'\?"):
        items.entry("famly")


def test_an_item_that_is_no_grid():
    with pytest.raises(ValueError, match="The item 'speed' is no grid of training runs"):
        items.runs("speed")


@pytest.mark.parametrize("tiny", [False, True])
@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_each_grid_is_one_of_runs_that_can_be_made(name, tiny):
    item = items.runs(name, tiny)
    for change in item.changes.values():
        config = item.shared.changed(**change)
        assert config.corpus == config.tokenizer == "packed/pocket-small"
        assert config.shape["n_embd"] % config.shape["n_head"] == 0
        assert json.loads(json.dumps(config.as_dict())) == config.as_dict()
    assert item.shared.precision == ("float32" if tiny else "bfloat16")
    assert item.least <= item.most
    assert len(set(item.seeds)) == len(item.seeds)


def test_the_family_has_one_depth_and_4_to_120_million_parameters():
    item = items.runs("family")
    sizes = [parameters(item, change) / 1e6 for change in item.changes.values()]
    assert sizes == sorted(sizes)
    assert (round(sizes[0]), round(sizes[-1])) == (4, 120)
    assert {item.shared.changed(**change).shape["n_layer"] for change in item.changes.values()} == {12}


@pytest.mark.parametrize(("tiny", "limits"), [(False, {9, 500}), (True, {2})])
def test_mid_training_is_on_the_texts_beside_its_weights_and_scored_on_what_is_packed(tiny, limits):
    item = items.runs("midtraining", tiny)
    assert item.shared.corpus == item.shared.model == "packed/smollm2-135m-instruct"
    assert set(item.shared.tasks.values()) == limits
    assert set(item.shared.tasks) == set(carried.LIMITS)
    assert tiny or item.shared.tasks == carried.LIMITS
    assert item.tuned == {}


def test_pretraining_is_of_30_to_60_million_parameters():
    item = items.runs("pretraining")
    assert 30 <= parameters(item, {}) / 1e6 <= 60
    assert list(item.tuned) == ["train", "dispersion"]


def test_losses_against_collapse_each_by_itself_beside_their_plain_training():
    item = items.runs("anti-collapse")
    assert 15 <= parameters(item, {}) / 1e6 <= 30
    assert list(item.changes)[:3] == ["train", "dispersion", "vicreg"]
    assert item.least == item.most == 300 * item.shared.batch_size * item.shared.length
    for label, change in item.changes.items():
        config = item.shared.changed(**change)
        assert config.loss == (None if label.startswith("train") else label)
        dropped = config.shape.get("resid_pdrop", 0.0)
        assert dropped == (0.1 if label in ("train, dropout", "info_nce", "barlow") else 0.0)
        if config.loss:
            baseline = item.changes[items.entry("anti-collapse")["against"][label]]
            assert baseline.get("shape", {}).get("resid_pdrop", 0.0) == dropped


def test_a_loss_is_tuned_over_rates_and_weights():
    item = items.runs("anti-collapse")
    assert [item.trials(item.changes[label]) for label in ("train", "dispersion")] == [2, 6]
    assert items.runs("pretraining").trials({"loss": "dispersion"}) == 4


def test_one_by_one_each_label_comes_whole_and_the_first_has_the_longer_runs():
    parts = items.runs("anti-collapse").in_order()
    assert [list(part.changes) for part in parts] == [[label] for label in items.runs("anti-collapse").changes]
    assert [list(part.longer) for part in parts[:2]] == [[1.25, 2.0], []]
    family = items.runs("family")
    assert family.in_order() == [family]


@pytest.mark.parametrize("tiny", [False, True])
@pytest.mark.parametrize("name", GRIDS)
def test_what_is_compared_are_labels_of_the_item(name, tiny):
    against, labels = items.entry(name, tiny)["against"], items.runs(name, tiny).changes
    assert {*against, *against.values()} <= set(labels)


def test_of_the_width_the_paper_s_rate_is_not_tuned():
    item = items.runs("width")
    assert list(item.tuned) == ["64", "256", "1024", "4096"]
    assert {item.changes[f"{label}, paper's rate"]["learning_rate"] for label in item.tuned} == {2.5e-5}


@pytest.mark.parametrize("name", [name for name in GRIDS if "design" in items.entry(name)])
def test_a_verdict_has_the_seeds_of_its_design(name):
    assert len(items.runs(name).seeds) == designs.load(items.entry(name)["design"]).n
