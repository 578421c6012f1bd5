"""A model run so that hooks can read it, and left as it was."""

import torch
from toys import tiny

from decondense import forward


def test_modules_that_act_when_they_go_to_training_are_told_to():
    class Merging(torch.nn.Linear):
        """As adapters that are merged in evaluation mode."""

        def train(self, mode=True):
            self.merged = not mode
            return super().train(mode)

    model = tiny("gpt2").train()
    model.transformer.h[0].mlp.extra = Merging(2, 2)
    model.transformer.h[1].eval()
    modes = [module.training for module in model.modules()]
    with forward.evaluating(model):
        assert not any(module.training for module in model.modules())
        assert model.transformer.h[0].mlp.extra.merged is True
    assert model.transformer.h[0].mlp.extra.merged is False
    assert [module.training for module in model.modules()] == modes


def test_a_pass_has_no_gradient_no_cache_and_the_mode_of_evaluation():
    model = tiny("gpt2").train()
    with forward.forward_passes(model) as run:
        out = run(input_ids=torch.tensor([[1, 2, 3]]))
        assert not model.training
    assert model.training
    assert out.past_key_values is None
    assert not out.last_hidden_state.requires_grad
    assert not hasattr(out, "logits")
