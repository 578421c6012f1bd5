"""A step with the regulariser against one by hand, plain, and with two views."""

import pytest
import torch
from toys import tiny

from decondense import losses
from decondense.trainers.step import step

IDS = torch.arange(32).view(2, 16)


def stepped(form=None, **how):
    model = tiny("gpt2").train()
    step(model, IDS, torch.optim.SGD(model.parameters(), lr=1.0), form, **how)
    assert all(p.grad is None for p in model.parameters())
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("form", [None, losses.cosine])
def test_it_is_the_step_of_the_total_with_clipped_gradients(form):
    model = tiny("gpt2").train()
    out = model(input_ids=IDS, labels=IDS, output_hidden_states=True)
    extra = 0 if form is None else torch.stack([form(state) for state in out.hidden_states[1:]]).mean()
    (out.loss + 0.5 * extra).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    expected = torch.cat([(p - p.grad).detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(stepped(form, weight=0.5), expected, rtol=1e-5, atol=1e-7)


def test_a_loss_of_two_views_gets_another_pass():
    seen = []

    def of_both(z, *, views):
        seen.append((z.detach(), views.detach()))
        return (z - views).square().mean()

    model = tiny("gpt2", resid_pdrop=0.1).train()
    step(model, IDS, torch.optim.SGD(model.parameters(), lr=1.0), of_both)
    assert len(seen) == model.config.n_layer
    assert all(z.shape == views.shape and not torch.equal(z, views) for z, views in seen)


def test_half_precision_changes_the_step_by_its_rounding_alone():
    whole, half = stepped(losses.cosine), stepped(losses.cosine, half=True)
    assert not torch.equal(whole, half)
    torch.testing.assert_close(half, whole, rtol=0.05, atol=0.02)
