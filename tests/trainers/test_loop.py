"""The loop of the README: whatever is around the model, its gradients are those of the plain model."""

import copy
import os
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import pytest
import torch
from tiny_training import model
from toys import COMPILING, VOCABULARY, tiny

from decondense import hooks, losses

BATCH = torch.randint(2, VOCABULARY, (3, 14), generator=torch.Generator().manual_seed(4))
MASK = torch.arange(14) < torch.tensor([14, 9, 5])[:, None]
WEIGHT = 3.0


def total(net, call=None, ids=BATCH, mask=MASK, **given):
    """The README's loop up to the backward pass: the states are kept, the loss is taken behind the forward pass."""
    call = net if call is None else call
    with hooks.residual_stream(net) as stream:
        loss = call(input_ids=ids, attention_mask=mask, labels=ids.where(mask, -100), **given).loss
    values = [losses.dispersion(stream[layer], mask=mask) for layer in range(1, len(stream))]
    return loss + WEIGHT * sum(values) / len(values)


def gradients(net, *how, seed=0, **given):
    torch.manual_seed(seed)
    net.zero_grad()
    total(net, *how, **given).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def by_hand(net):
    """The same from `output_hidden_states` alone."""
    net.zero_grad()
    out = net(BATCH, attention_mask=MASK.long(), labels=BATCH.where(MASK, -100), output_hidden_states=True)
    values = [losses.dispersion(state, mask=MASK) for state in out.hidden_states[1:]]
    (out.loss + WEIGHT * sum(values) / len(values)).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "gemma-3", "olmo-3"])
def test_the_gradients_are_those_by_hand(name):
    net = tiny(name, pad_token_id=0, bos_token_id=0, eos_token_id=0).double().train()
    plain = by_hand(net) if name != "gpt2" else by_hand(net.eval())
    torch.testing.assert_close(gradients(net), plain, rtol=1e-9, atol=1e-12)
    assert abs(gradients(net) - gradients(net, mask=MASK)).max() == 0


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_checkpointing_changes_no_gradient(name, reentrant):
    noisy = {"embd_pdrop": 0.1, "resid_pdrop": 0.1} if name == "gpt2" else {"attention_dropout": 0.1}
    net = tiny(name, pad_token_id=0, bos_token_id=0, eos_token_id=0, use_cache=False, **noisy).double().train()
    plain = gradients(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some releases have another name for it
        net.gradient_checkpointing_enable({"use_reentrant": reentrant})
        net.enable_input_require_grads()
    # Reentrant, the two gradients of a state are added in another order.
    torch.testing.assert_close(gradients(net), plain, rtol=1e-12 if reentrant else 0, atol=1e-15 if reentrant else 0)
    assert plain.norm() > 0.1


WHOLE_STEP = """
import torch
from test_loop import gradients, model, total

net = model().double().train()
plain = gradients(net)
step = torch.compile(lambda: total(net), backend="aot_eager")
for _ in range(2):
    net.zero_grad()
    step().backward()
    found = torch.cat([p.grad.flatten() for p in net.parameters()])
    torch.testing.assert_close(found, plain, rtol=1e-7, atol=1e-10)
print("equal, norm", float(plain.norm()))
"""


def test_a_whole_compiled_step_with_the_regulariser_inside_has_the_gradients_of_the_plain_one():
    # In a process of its own: the type checks of these tests cannot be compiled.
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_STEP], env=os.environ | {"PYTHONPATH": os.pathsep.join(here)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("equal, norm")


@pytest.mark.filterwarnings(*COMPILING)
def test_a_compiled_model_has_the_gradients_of_the_plain_one_step_after_step():
    torch.compiler.reset()
    net = model().double().train()
    compiled = torch.compile(net, backend="aot_eager")
    for _ in range(3):
        torch.testing.assert_close(gradients(net, compiled), gradients(net), rtol=1e-7, atol=1e-10)


def test_adapters_get_the_gradient_and_the_frozen_weights_none():
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.LoraConfig(r=4, target_modules=["c_attn"], init_lora_weights=False, fan_in_fan_out=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = peft.get_peft_model(model().double(), config).double()
    found = gradients(net)
    assert {name for name, p in net.named_parameters() if p.grad is not None} == {
        name for name, _ in net.named_parameters() if "lora" in name
    }
    inner = net.get_base_model()
    torch.testing.assert_close(by_hand(inner), found, rtol=1e-9, atol=1e-12)


def test_a_packed_row_has_the_gradients_of_its_documents():
    net = model().double().train()
    short, long = BATCH[:1, :5], BATCH[1:2, :9]
    apart = []
    for row in (short, long):
        with hooks.residual_stream(net) as stream:
            net(input_ids=row)
        apart.append(sum(losses.dispersion(stream[layer]) for layer in range(1, len(stream))))
    expected = torch.autograd.grad(sum(apart) / 2, net.transformer.wte.weight)[0]
    positions = torch.cat([torch.arange(5), torch.arange(9)])[None]
    with hooks.residual_stream(net) as stream:
        net(input_ids=torch.cat([short, long], 1), position_ids=positions, use_cache=False)
    ids = losses.document_ids(positions)
    value = sum(losses.dispersion(stream[layer], document_ids=ids) for layer in range(1, len(stream)))
    assert value.item() == pytest.approx(sum(apart).item() / 2, abs=1e-9)
    found = torch.autograd.grad(value, net.transformer.wte.weight)[0]
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


def test_accelerate_accumulates_the_gradient_of_the_plain_loop():
    from accelerate import Accelerator

    net = model().double().train()
    plain = gradients(net) + gradients(net, ids=BATCH.flip(1), mask=torch.ones_like(MASK))
    net.zero_grad()
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    wrapped, optimizer = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.1))
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    for ids, mask in ((BATCH, MASK), (BATCH.flip(1), torch.ones_like(MASK))):
        with accelerator.accumulate(wrapped):
            accelerator.backward(total(wrapped, ids=ids, mask=mask))
            optimizer.step()
            optimizer.zero_grad()
    after = torch.cat([p.detach().flatten() for p in net.parameters()])
    torch.testing.assert_close(after - before, -0.1 * plain / 2, rtol=1e-9, atol=1e-12)


def test_what_the_loop_keeps_is_freed_with_the_loss():
    net = copy.deepcopy(model())
    states = []
    reduce = lambda _, hidden: states.append(weakref.ref(hidden)) or hidden
    with hooks.residual_stream(net, reduce) as stream:
        loss = net(input_ids=BATCH, labels=BATCH).loss
    loss = loss + WEIGHT * losses.dispersion(stream[2])
    assert all(state() is not None for state in states)
    loss.backward()
    assert len(states) == hooks.n_entries(net)
    del loss, stream
    assert [state() for state in states] == [None] * len(states)  # at once: no circle waits for the collector
