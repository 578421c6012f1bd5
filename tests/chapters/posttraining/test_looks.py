"""What a look measures, against slower ways to the same numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from tiny_training import model

from decondense import hooks, measure, metrics
from decondense.chapters.posttraining import looks
from decondense.chapters.posttraining.looks import Fixed


@pytest.fixture
def net():
    net = model().eval()
    net.generation_config.pad_token_id = net.generation_config.eos_token_id = 1
    return net


@pytest.fixture
def fixed():
    generator = torch.Generator().manual_seed(0)
    texts = torch.randint(2, 60, (5, 12), generator=generator)
    return Fixed(texts, 3, 4, 6, [[5, 6, 7, 8], [9, 10, 11]], [[5, 6, 20, 1], [9, 10, 30]], [2, 2], True)


def test_divergence_is_the_mean_over_places_of_what_scipy_gives():
    now, start = torch.randn(2, 7, 11, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    by_hand = np.mean([entropy(p, q) for p, q in zip(now.exp().numpy(), start.exp().numpy(), strict=True)])
    assert looks.divergence(now, start) == pytest.approx(by_hand, rel=1e-4)
    assert looks.divergence(now, now) == 0


def test_cosines_and_mu_are_those_of_measure(net, fixed):
    found = measure(net, None, fixed.texts.tolist(), max_length=12, controls=True, progress=False)
    with torch.no_grad():
        _, (within, between), last = looks.seen(net, fixed.texts)
    np.testing.assert_allclose(within, found.controls["within"], atol=1e-5)
    np.testing.assert_allclose(between, found.controls["between"], atol=1e-5)
    np.testing.assert_allclose(looks.mu(within, 12), found.mu, atol=1e-5)
    assert last.shape == (5, net.config.n_embd)


def test_cosines_after_an_opening_are_of_the_rest_alone(net, fixed):
    with torch.no_grad(), hooks.residual_stream(net, lambda _, hidden: hidden) as states:
        net(fixed.texts)
        kept = states[2][:, 4:]
        _, (within, _), _ = looks.seen(net, fixed.texts, after=4)
    assert within[2] == pytest.approx(np.mean([float(metrics.mean_cosine(z).off_diagonal) for z in kept]), abs=1e-5)


def test_the_look_of_the_start_has_no_divergence_and_a_changed_model_has(net, fixed):
    numbers, arrays, start = looks.look(net, fixed, None)
    assert numbers["kl_text"] == numbers["kl_answers"] == 0
    assert arrays["text"].shape == arrays["own"].shape == (2, hooks.n_entries(net))
    assert start.texts.shape == (5 * 11, net.config.vocab_size)
    assert len(start.answers) == 2 + 1
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(1.3)
    again, _, _ = looks.look(net, fixed, start)
    assert again["kl_text"] > 0
    assert again["kl_answers"] > 0


def test_answers_are_read_row_by_row_as_without_padding(net, fixed):
    with torch.no_grad():
        places, likely, last = looks.answered(net, fixed.right, fixed.asked)
        alone = [net(torch.tensor([row])).logits[0].log_softmax(-1) for row in fixed.right]
        states = [net(torch.tensor([row[:2]]), output_hidden_states=True).hidden_states[-1][0, -1]
                  for row in fixed.right]  # fmt: skip
    by_hand = [float(sum(logp[n - 1, row[n]] for n in range(2, len(row))))
               for logp, row in zip(alone, fixed.right, strict=True)]  # fmt: skip
    assert [each.sum() for each in likely] == pytest.approx(by_hand, abs=1e-5)
    assert [len(each) for each in likely] == [len(row) - 2 for row in fixed.right]
    torch.testing.assert_close(places, torch.cat([alone[0][1:3], alone[1][1:2]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(last, torch.stack(states), atol=1e-5, rtol=0)


def test_a_chance_is_that_of_the_number_without_its_end(net, fixed):
    numbers, _, _ = looks.look(net, fixed, None)
    with torch.no_grad():
        logps = [net(torch.tensor([row])).logits[0].log_softmax(-1) for row in fixed.right]
    of = lambda stop: [sum(float(logp[n - 1, row[n]]) for n in range(2, len(row) - stop))
                       for logp, row in zip(logps, fixed.right, strict=True)]  # fmt: skip
    assert numbers["chance"] == pytest.approx(np.mean(np.exp(of(1))), abs=1e-6)
    assert numbers["right"] == pytest.approx(np.mean(of(0)), abs=1e-5)
    solved, _, _ = looks.look(net, replace(fixed, numbers=False), None)
    assert solved["chance"] is None


def test_own_texts_are_seeded_of_equal_length_and_leave_the_random_state(net, fixed):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, again, other = (looks.continued(net, fixed, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.shape == (3, 10)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one[:, :4], fixed.texts[:3, :4])


def test_the_rank_is_over_the_last_tokens_of_the_texts(net, fixed):
    numbers, _, _ = looks.look(net, fixed, None)
    with torch.no_grad():
        states = net(fixed.texts, output_hidden_states=True).hidden_states[-1][:, -1]
    assert numbers["rank"] == pytest.approx(metrics.effective_rank(states), abs=1e-4)
    assert 1 <= numbers["rank_prompts"] <= 2
