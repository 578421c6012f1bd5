"""Every design can be read, measured and streamed, has as many parameters as the reference, and changes its thing."""

import numpy as np
import pytest
import torch

from decondense import hooks, measure
from decondense.models import streaming
from decondense.models.variants import designs
from decondense.models.variants.model import VariantConfig, VariantForCausalLM, VariantModel

SHAPE = {"width": 32, "blocks": 6, "heads": 4, "mlp": 88, "initializer": 0.1}
SMALL = {"width": 16, "blocks": 2, "heads": 2, "mlp": 24, "initializer": 0.2}
EVERY = pytest.mark.parametrize("name", [*designs.NAMES, designs.EXPERTS])


@pytest.mark.parametrize("name", designs.NAMES)
def test_parameters_are_as_many_as_those_of_the_reference(name):
    made = designs.config(name, SHAPE, 512)
    reference = designs.parameters(designs.config(designs.REFERENCE, SHAPE, 512))
    assert designs.parameters(made) == pytest.approx(reference, rel=0.01)
    assert designs.parameters(made) == sum(p.numel() for p in designs.model(name, SHAPE, 512, 0).parameters())


@EVERY
@pytest.mark.filterwarnings("ignore:.*shorter than max_length")
def test_every_block_is_seen_and_measured(name):
    model = designs.model(name, SMALL, 12, seed=0).eval()
    depth = model.config.num_hidden_layers
    texts = [[1, 5, 3, 7, 2, 2], [4, 4, 9, 1]]
    found = measure(model, None, texts, histogram=None, progress=False)
    assert len(found.mu) == hooks.n_entries(model) == depth + 1
    alone = measure(model, None, texts[1:], histogram=None, progress=False)  # without padding
    np.testing.assert_allclose(found.mu_per_text[1], alone.mu_per_text[0], atol=1e-5)


@EVERY
def test_a_gradient_reaches_every_weight(name):
    model = designs.model(name, SMALL, 12, seed=0)
    ids = torch.arange(12)[None].repeat(4, 1)
    model(input_ids=ids, labels=ids).loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("name", designs.NAMES)
def test_a_streamed_model_begins_as_one_in_memory_does(name):
    config = designs.config(name, SHAPE, 64)
    model = streaming.streamed(config, 0)
    ids = torch.arange(64)[None]
    with torch.no_grad(), hooks.residual_stream(model) as entries:
        model(ids)
    with torch.no_grad(), hooks.residual_stream(whole := designs.model(name, SHAPE, 64, 0).eval()) as theirs:
        whole(input_ids=ids)
    sizes = [(entries[entry].norm() / theirs[entry].norm()).item() for entry in entries]
    assert sizes == pytest.approx([1.0] * len(sizes), abs=0.4)


def test_each_changes_its_thing():
    of = lambda name: designs.config(name, SHAPE, 512)
    assert of("scaled residual").residual_multiplier == pytest.approx(6**-0.5)
    assert of("scaled residual").attention_multiplier == pytest.approx(8**-0.5)
    assert of("untied head").tie_word_embeddings is False
    assert of("pre-norm").tie_word_embeddings is True
    assert of("QK-norm").model_type == "qwen3"
    assert (of("deep and narrow").num_hidden_layers, of("deep and narrow").hidden_size) == (12, 24)
    assert (of("shallow and wide").num_hidden_layers, of("shallow and wide").hidden_size) == (3, 40)
    assert (of("experts").num_experts, of("experts").intermediate_size) == (8, 44)


def test_the_same_seed_gives_the_same_weights():
    first, second = (designs.model("sandwich norm", SMALL, 12, seed=3) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", ["embedding mix", "state-space hybrid"])  # with values that only `draw` gives
def test_a_small_model_is_saved_and_loaded(name, tmp_path):
    model = designs.model(name, SMALL, 12, 0).eval()
    model.save_pretrained(tmp_path)
    again = VariantForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.arange(12)[None]
    torch.testing.assert_close(again(input_ids=ids).logits, model(input_ids=ids).logits)


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"Unknown design 'post norm'\. Did you mean 'post-norm'"):
        designs.config("post norm", SHAPE, 512)
    with pytest.raises(ValueError, match="Unknown block 'prenorm'"):
        VariantModel(VariantConfig(block="prenorm"))
    with pytest.raises(ValueError, match="give a wider shape"):
        designs.config("untied head", SMALL | {"mlp": 1}, 5000)
