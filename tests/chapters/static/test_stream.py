"""Entries of a model under the cures; its loss with a vector taken off, put back, or drawn at random."""

import pytest
import torch
from toys import tiny

from decondense import hooks, metrics
from decondense.chapters.static import rows, stream


@pytest.fixture(scope="module")
def windows():
    return torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["gpt2", "llama"])
def net(request):
    torch.manual_seed(0)
    return tiny(request.param).eval()


def loss(model, window):
    with torch.inference_mode():
        return float(model(input_ids=window[None], labels=window[None]).loss)


def test_entries_are_the_hidden_states(net, windows):
    found = stream.entries(net, windows)
    assert list(found) == list(range(hooks.n_entries(net)))
    with torch.no_grad():
        expected = net(windows[1:2], output_hidden_states=True).hidden_states
    for entry, states in enumerate(expected):
        assert torch.allclose(found[entry][1], rows.ordinary(states[0]), atol=1e-5)


def test_a_mean_that_is_put_back_changes_nothing(net, windows):
    shift = torch.randn(net.config.hidden_size, generator=torch.Generator().manual_seed(0))
    plain = loss(net, windows[0])
    with stream.shifted(net, 1, -shift), stream.shifted(net, 1, shift):
        assert loss(net, windows[0]) == pytest.approx(plain, abs=1e-5)
    with stream.shifted(net, 1, 0 * shift):
        assert loss(net, windows[0]) == pytest.approx(plain, abs=1e-6)
    with stream.shifted(net, 1, 10 * shift):
        assert abs(loss(net, windows[0]) - plain) > 1e-3
    assert loss(net, windows[0]) == plain  # the hook is gone


def test_shift_is_added_at_its_entry_and_not_before(net, windows):
    shift = torch.randn(net.config.hidden_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), hooks.residual_stream(net) as plain:
        hooks.backbone(net)(windows[:1])
    with torch.inference_mode(), stream.shifted(net, 1, shift), hooks.residual_stream(net) as moved:
        hooks.backbone(net)(windows[:1])
    assert torch.equal(moved[0], plain[0])
    after = {entry: (moved[entry] - plain[entry]).norm() for entry in plain}
    assert all(after[entry] > 0 for entry in list(plain)[2:])


def test_a_token_that_is_very_long_is_not_shifted(monkeypatch, windows):
    net = tiny("gpt2").eval()
    seen = []
    handle = hooks.blocks(net)[1].register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    embeddings = net.get_input_embeddings().weight
    with torch.inference_mode():
        embeddings[49] *= 1e4
    window = torch.cat([torch.tensor([49]), windows[0] % 49])
    plain = loss(net, window)
    with stream.shifted(net, 1, torch.ones(net.config.hidden_size)):
        assert loss(net, window) != plain
    handle.remove()
    with stream.shifted(net, 1, torch.ones(net.config.hidden_size)):
        handle = hooks.blocks(net)[1].register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
        loss(net, window)
    handle.remove()
    moved = seen[-1] - seen[0]
    assert moved[0, 0].abs().max() == 0
    assert torch.allclose(moved[0, 1:], torch.ones_like(moved[0, 1:]), atol=1e-5)


def test_losses_have_a_row_for_each_window_and_change(net, windows):
    mean = torch.ones(net.config.hidden_size)
    found = stream.losses(net, windows, 1, mean)
    assert len(found) == 9
    assert found == stream.losses(net, windows, 1, mean)
    assert found[0]["change"] == "as it is"
    assert found[0]["loss"] == pytest.approx(loss(net, windows[0]), abs=1e-6)
    with stream.shifted(net, 1, -mean):
        assert found[1]["loss"] == pytest.approx(loss(net, windows[0]), abs=1e-6)
    none = {row["loss"] for row in stream.losses(net, windows[:1], 1, 0 * mean)}
    assert len(none) == 1


def test_cures_are_fitted_on_some_texts_and_measured_on_others():
    generator = torch.Generator().manual_seed(0)
    shared = 3 * torch.randn(8, generator=generator)
    fitted, others = ([shared + torch.randn(60, 8, generator=generator) for _ in range(n)] for n in (4, 2))
    found = stream.under_cures(fitted, others)
    assert [(row["cure"], row["window"]) for row in found] == [(c, w) for c in rows.CURES for w in (0, 1)]
    assert found[0]["mu"] == pytest.approx(float(metrics.mean_cosine(others[0]).off_diagonal))
    assert found[0]["mu"] > 0.5
    assert found[0]["rank"] == pytest.approx(metrics.effective_rank(others[0]))
    assert all(abs(row["mu"]) < 0.05 for row in found[2:])
    cure = rows.CURES["whitening"](torch.cat(fitted))
    assert found[7]["mu"] == pytest.approx(float(metrics.mean_cosine(cure(others[1])).off_diagonal))
