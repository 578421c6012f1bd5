"""Active forgetting: when, what and how the embedding is drawn again, and its learning rate."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from tiny_training import Watch, cosine_rate, logs, model, run
from transformers import Trainer

from decondense import hooks
from decondense.trainers.forgetting import ActiveForgetting

pytestmark = pytest.mark.usefixtures("frozen")


def forget(folder, every=3, steps=8, callbacks=(), forgetting=None, **how):
    """A run with untied embeddings; the embedding, its Adam state and the learning rates after each step."""
    after, rates = [], []

    def look(state, net, optimizer):
        weight = net.get_input_embeddings().weight
        adam = {n: int(optimizer.state[p]["step"]) for n, p in net.named_parameters() if p in optimizer.state}
        after.append((weight.detach().clone(), adam))

    callbacks = [
        forgetting or ActiveForgetting(every),
        Watch("on_pre_optimizer_step", lambda _s, _n, o: rates.append([g["lr"] for g in o.param_groups])),
        Watch("on_step_end", look),
        *callbacks,
    ]
    args = {"steps": steps} | how.pop("args", {})
    trainer = run(folder, net=model(tie_word_embeddings=False), callbacks=callbacks, args=args, **how)
    return trainer, after, np.array(rates)


def test_embedding_is_drawn_again_every_k_steps(tmp_path):
    _, after, _ = forget(tmp_path, steps=9)
    embeddings = [weight for weight, _ in after]
    moved = [(b - a).abs().median().item() for a, b in pairwise(embeddings)]
    large = [step for step, m in enumerate(moved, start=2) if m > 0.015]
    assert large == [3, 6]  # and not after the last, 9
    for step in large:
        drawn = embeddings[step - 1].flatten().numpy()
        assert stats.kstest(drawn, "norm", args=(0, 0.02)).pvalue > 0.001
    assert not torch.equal(embeddings[2], embeddings[5])


def test_std_is_that_of_the_draw(tmp_path):
    _, after, _ = forget(tmp_path, steps=4, forgetting=ActiveForgetting(3, std=0.5))
    assert after[2][0].std().item() == pytest.approx(0.5, rel=0.05)


def test_draws_go_with_the_seed_alone(tmp_path):
    first, again, other = (forget(tmp_path, steps=4, args={"seed": s})[1][2][0] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    longer = forget(tmp_path, steps=4, args={"seed": 1, "learning_rate": 1e-4}, weight=3.0)[1][2][0]
    assert torch.equal(first, longer)


def test_adam_forgets_the_embedding_alone(tmp_path):
    _, after, _ = forget(tmp_path)
    name = "transformer.wte.weight"
    steps = [adam.get(name) for _, adam in after]
    assert steps == [1, 2, None, 1, 2, None, 1, 2]
    others = [{step for n, step in adam.items() if n != name} for _, adam in after]
    assert others == [{step} for step in range(1, 9)]


def test_learning_rate_of_the_embedding_is_linear_in_each_cycle(tmp_path):
    _, _, rates = forget(tmp_path, steps=8)
    np.testing.assert_allclose(rates[:, -1], [1e-2 * share / 3 for share in (3, 2, 1, 3, 2, 1, 3, 2)], rtol=1e-9)
    expected = [cosine_rate(s, 8, 1e-2, 1) for s in range(8)]
    for others in rates[:, :-1].T:
        np.testing.assert_allclose(others, expected, rtol=1e-9, atol=1e-12)


def test_the_embedding_is_a_group_of_its_own(tmp_path):
    trainer, _, _ = forget(tmp_path)
    groups, plain = trainer.optimizer.param_groups, run(tmp_path).optimizer.param_groups
    assert len(groups) == len(plain) + 1 == 3
    assert [p is trainer.model.get_input_embeddings().weight for p in groups[-1]["params"]] == [True]
    assert [g["weight_decay"] for g in groups] == [0.1, 0.0, 0.1]
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in trainer.model.parameters())


def test_rate():
    forgetting = ActiveForgetting(4)
    assert [forgetting.rate(step) for step in range(6)] == [1, 0.75, 0.5, 0.25, 1, 0.75]
    assert [ActiveForgetting(1).rate(step) for step in range(3)] == [1, 1, 1]


def test_it_works_without_a_loss(tmp_path):
    trainer, after, _ = forget(tmp_path, loss=None)
    assert after[2][0].std().item() == pytest.approx(0.02, rel=0.1)
    assert all(step[2] == 0 for step in logs(trainer))


def test_the_plain_trainer_gets_the_reset_without_the_schedule(tmp_path):
    trainer, after, rates = forget(tmp_path, steps=4, kind=Trainer)
    assert after[2][0].std().item() == pytest.approx(0.02, rel=0.1)
    assert "transformer.wte.weight" not in after[2][1]
    assert len(trainer.optimizer.param_groups) == 2
    np.testing.assert_allclose(rates[:, 0], [cosine_rate(s, 4, 1e-2, 0) for s in range(4)], rtol=1e-9)


def test_tied_embeddings_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="input and output embeddings are tied, so each reset hits the head as well"):
        trainer = run(tmp_path, callbacks=[ActiveForgetting(3)])
    assert trainer.model.lm_head.weight is trainer.model.transformer.wte.weight


def test_a_model_without_head_is_not_warned_of():
    backbone = hooks.backbone(model())
    ActiveForgetting(3).on_train_begin(None, None, None, model=backbone)


@pytest.mark.parametrize("every", [0, -3])
def test_every_below_one_is_refused(every):
    with pytest.raises(ValueError, match=f"every must be at least 1 step, got {every}"):
        ActiveForgetting(every)
