"""Numbers of parameters: against transformers, and the labels that are not those of the models."""

import pytest
import transformers

from decondense.chapters.figures import parameters
from decondense.models import memory
from decondense.paper.rounding import CONSISTENT


@pytest.mark.parametrize("shape", [(768, 12, 3072), (768, 12, 64), (1024, 24, 4096)])
def test_parameters_are_those_that_transformers_makes(shape):
    width, blocks, mlp = shape
    config = transformers.GPT2Config(n_embd=width, n_layer=blocks, n_head=width // 64, n_inner=mlp)
    assert parameters.gpt2_parameters(*shape) == memory.count(config, transformers.AutoModelForCausalLM)


def test_one_label_of_gpt2_medium_is_not_that_of_the_model():
    found = parameters.parameters()
    odd = found[found.outcome != CONSISTENT]
    assert odd[["figure", "model"]].to_numpy().tolist() == [["Fig. 2", "GPT2-m"], ["Fig. 2", "GPT2-xl"]]
    assert odd["count"].tolist() == pytest.approx([354.823, 1557.611], abs=1e-3)
