"""The trainer against Hugging Face's own, against itself in other batch sizes, and against direct computation."""

import inspect
import json
import re
import warnings

import numpy as np
import pytest
import tiny_training
import torch
from tiny_training import LENGTH, Watch, cosine_rate, logs, make, model, rows, run, weights
from toy_runs import all_done, two_forked
from toys import COMPILING, RELEASE, unchecked
from transformers import Trainer, TrainerCallback

from decondense import hooks, losses, metrics, trainers
from decondense.trainers import DispersionTrainer
from decondense.trainers.forgetting import ActiveForgetting

PADDED = pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])


pytestmark = pytest.mark.usefixtures("frozen")


def assert_close(found, expected):
    """The same logs and weights but for rounding: Trainer keeps some logs in float32, the weights are in float64."""
    assert weights(expected).dtype == torch.float64
    np.testing.assert_allclose(logs(found), logs(expected), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(weights(found), weights(expected), rtol=0, atol=1e-9)


def assert_equal(found, expected):
    assert logs(found) == logs(expected)
    assert torch.equal(weights(found), weights(expected))


ROUNDED = 6e-5  # older releases of transformers log the loss with four decimals


# --- one large batch, or many small ones ----------------------------------------------------------------------------


SMALL = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}


def one_and_four(folder, prepared=lambda trainer: trainer, **how):
    """A run in batches of 8, and one that accumulates 4 batches of 2; both in float64 with every token."""
    trainers = [prepared(make(folder, net=model().double(), subsample=None, args=a, **how)) for a in ({}, SMALL)]
    for trainer in trainers:
        trainer.train()
    return trainers


@PADDED
def test_accumulation_gives_the_same_as_one_batch(tmp_path, padded):
    one, four = one_and_four(tmp_path, data=rows(padded=padded))
    assert len(logs(one)) == 4
    assert_close(four, one)


def test_a_shorter_last_accumulation_gives_the_same(tmp_path):
    one, four = one_and_four(tmp_path, data=rows(12))  # batches of 8 and 4
    assert_close(four, one)


def test_accumulation_where_the_model_divides_by_its_own_batch(tmp_path):
    def prepared(trainer):
        trainer.model_accepts_loss_kwargs = False
        return trainer

    one, four = one_and_four(tmp_path, prepared)
    assert_close(four, one)
    assert_close(one, one_and_four(tmp_path)[0])  # texts of one length


def test_accumulation_with_a_loss_function_of_the_users(tmp_path):
    def half(outputs, labels, num_items_in_batch):
        logits, labels = outputs["logits"][:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / num_items_in_batch / 2

    one, four = one_and_four(tmp_path, compute_loss_func=half)
    assert_close(four, one)
    found, usual = logs(one)[0], logs(one_and_four(tmp_path)[0])[0]
    assert found[1:3] == pytest.approx([usual[1] / 2, usual[2]], rel=1e-6)


def test_accumulated_terms_add_up_to_the_loss(tmp_path):
    for total, language, regulariser, *_ in logs(run(tmp_path, data=rows(padded=True), weight=0.7, args=SMALL)):
        assert total == pytest.approx(language + 0.7 * regulariser, abs=ROUNDED)


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_nothing(tmp_path, reentrant):
    fields = trainers.TrainingArguments.__dataclass_fields__
    switch = "activation_checkpointing" if "activation_checkpointing" in fields else "gradient_checkpointing"
    on = {switch: True, f"{switch}_kwargs": {"use_reentrant": reentrant}}
    noisy = {"embd_pdrop": 0.1, "resid_pdrop": 0.1}
    calls = []

    def checkpointed(**how):
        trainer = make(tmp_path, net=model(**noisy).double(), subsample=16, **how)
        loss = trainer.loss
        trainer.loss = lambda *a, **k: calls.append(1) or loss(*a, **k)
        trainer.train()
        return trainer

    plain = checkpointed()
    assert_close(checkpointed(args=on), plain)
    assert len(calls) == 2 * 4 * 4  # once for each step and layer: never in what is computed twice


# --- the loss -------------------------------------------------------------------------------------------------------


def hidden_states(net, data):
    """All entries, in float32, without the hooks that the trainer uses."""
    batch = {key: torch.stack([row[key] for row in data]) for key in data[0]}
    with torch.no_grad():
        return net(**batch, output_hidden_states=True), batch.get("attention_mask")


@PADDED
@pytest.mark.parametrize("layers", ["all", "last", "early_half", "late_half", [0, 2]], ids=str)
def test_first_loss_is_that_of_the_hidden_states(tmp_path, padded, layers):
    data, net = rows(8, padded), model()
    trainer = make(tmp_path, data=data, net=net, weight=0.3, layers=layers, subsample=None)
    output, mask = hidden_states(net, data)
    picked = {"all": [1, 2, 3, 4], "last": [4], "early_half": [1, 2], "late_half": [3, 4]}.get(str(layers), [0, 2])
    expected = np.mean([losses.dispersion(output.hidden_states[e], mask=mask).item() for e in picked])
    trainer.train()
    total, language, regulariser, *_ = logs(trainer)[0]
    assert regulariser == pytest.approx(expected, rel=1e-5)
    assert language == pytest.approx(output.loss.item(), rel=1e-5)
    assert total == pytest.approx(language + 0.3 * expected, abs=ROUNDED)


def test_block_outputs_end_before_the_final_norm(tmp_path):
    data, net = rows(8), model()
    with torch.no_grad():
        net.transformer.ln_f.weight[:8] = 3.0  # else it would hardly turn a state
        net.transformer.ln_f.bias += 0.3
    bare = []
    hook = hooks.blocks(net)[-1].register_forward_hook(
        lambda _m, _a, out: bare.append(out[0] if type(out) is tuple else out)
    )
    output, _ = hidden_states(net, data)
    hook.remove()
    trainer = make(tmp_path, data=data, net=net, layers="block_outputs", subsample=None)
    stream = [*output.hidden_states[1:-1], bare[0]]
    expected = np.mean([losses.dispersion(z).item() for z in stream])
    usual = np.mean([losses.dispersion(z).item() for z in output.hidden_states[1:]])
    trainer.train()
    assert logs(trainer)[0][2] == pytest.approx(expected, rel=1e-5)
    assert abs(usual - expected) > 1e-3


@pytest.mark.parametrize("how", [{"clamp": 0.01}, {"clamp": 1e-4, "acute": True}], ids=["clamp", "acute"])
def test_options_of_the_clamp_reach_the_loss(tmp_path, how):
    data, net = rows(8), model()
    output, _ = hidden_states(net, data)
    expected = np.mean([losses.dispersion(z, **how).item() for z in output.hidden_states[1:]])
    trainer = make(tmp_path, data=data, net=net, subsample=None, **how)
    trainer.train()
    assert logs(trainer)[0][2] == pytest.approx(expected, rel=1e-5)


def test_weight_times_accumulation_is_the_sum_of_the_batches(tmp_path):
    """A regulariser that is added to each micro-batch undivided: the gradient of one step, by hand."""
    weight, data, net = 0.3, rows(8), model().double()
    ids = torch.stack([row["input_ids"] for row in data])
    found = make(tmp_path, data=data, net=net, weight=4 * weight, subsample=None, args=SMALL | {"max_grad_norm": 0})
    total = net(input_ids=ids, labels=ids).loss  # texts of one length: the mean over them all
    for part in ids.split(2):
        states = net(input_ids=part, output_hidden_states=True).hidden_states[1:]
        total = total + weight * sum(losses.dispersion(z) for z in states) / len(states)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(total, list(net.parameters()))])
    seen = []
    keep = lambda *_, **how: seen.append(torch.cat([p.grad.flatten() for p in how["model"].parameters()]))
    found.add_callback(type("Keep", (TrainerCallback,), {"on_pre_optimizer_step": keep})())
    found.train()
    torch.testing.assert_close(seen[0], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings(r"ignore:\w+ (is flat on|pushes no) :UserWarning")
@pytest.mark.parametrize("name", [name for name in losses.names() if not losses.needs_views(losses.get(name))])
def test_every_loss_of_one_view_trains(tmp_path, name):
    data, net = rows(8), model()
    how = {"generator": make(tmp_path)._generator()}  # the random lines of `sigreg`
    expected = np.mean([losses.get(name)(h, **how).item() for h in hidden_states(net, data)[0].hidden_states[1:]])
    found = logs(run(tmp_path, data=data, net=net, loss=name, subsample=None, args={"steps": 2}))
    assert found[0][2] == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(found).all()


TABLE = {"dispersion": 0.3, "koleo": 0.02}


def test_a_table_of_losses_is_their_weighted_sum(tmp_path):
    data, net = rows(8, padded=True), model()
    output, mask = hidden_states(net, data)
    each = [sum(w * losses.get(n)(h, mask=mask) for n, w in TABLE.items()).item() for h in output.hidden_states[1:]]
    total, language, regulariser, *_ = logs(run(tmp_path, data=data, net=net, loss=TABLE, subsample=None))[0]
    assert regulariser == pytest.approx(np.mean(each), rel=1e-5)
    assert total == pytest.approx(language + regulariser, abs=ROUNDED)  # the weight is 1


def test_a_table_is_accumulated_as_one_batch(tmp_path):
    assert_close(*one_and_four(tmp_path, data=rows(padded=True), loss=TABLE))


@pytest.mark.parametrize("weight", [None, 0.4])
def test_a_loss_with_its_options_is_the_users_function(tmp_path, weight):
    data, net = rows(8), model()
    loss = losses.get("uniformity", t=1.0)
    expected = np.mean([loss(h).item() for h in hidden_states(net, data)[0].hidden_states[1:]])
    how = {"args": {"steps": 1}, "subsample": None, "loss": loss, "weight": weight}
    total, language, regulariser, *_ = logs(run(tmp_path, data=data, net=net, **how))[0]
    assert regulariser == pytest.approx(expected, rel=1e-5)
    assert total == pytest.approx(language + (weight or 0.1) * expected, abs=ROUNDED)


# --- two views ------------------------------------------------------------------------------------------------------

NOISY = {"embd_pdrop": 0.1, "resid_pdrop": 0.1}
VIEWS = pytest.mark.parametrize("loss", ["info_nce", "barlow", {"info_nce": 1.0, "cosine": 0.5}], ids=str)


@VIEWS
def test_two_views_are_two_passes_with_other_dropout(tmp_path, loss):
    data, trainer = rows(8, padded=True), make(tmp_path, net=model(**NOISY), loss=loss, weight=0.7, subsample=None)
    batch, net = {key: torch.stack([row[key] for row in data]) for key in data[0]}, trainer.model.train()
    torch.manual_seed(0)
    found = trainer.compute_loss(net, batch)
    torch.manual_seed(0)
    output = net(**batch, output_hidden_states=True)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    again = net.transformer(**inputs, output_hidden_states=True).hidden_states
    function = losses.combined(loss) if isinstance(loss, dict) else losses.get(loss)
    pairs = list(zip(output.hidden_states, again, strict=True))[1:]
    each = [function(a, views=b, mask=batch["attention_mask"]) for a, b in pairs]
    expected = output.loss + 0.7 * torch.stack(each).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    weight = net.transformer.h[0].mlp.c_fc.weight
    ours, theirs = (torch.autograd.grad(total, weight)[0] for total in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)


@VIEWS
def test_two_views_train_and_a_resumed_run_is_the_same(tmp_path, loss):
    saving = {"steps": 4, "save_strategy": "steps", "save_steps": 2}

    def started(folder, *callbacks, **how):
        trainer = make(folder, net=model(**NOISY), loss=loss, subsample=16, args=saving, callbacks=callbacks)
        trainer.train(**how)
        return trainer

    whole = started(tmp_path / "whole")
    started(tmp_path / "cut", stop_after(2))
    rest = started(tmp_path / "cut", resume_from_checkpoint=str(tmp_path / "cut" / "checkpoint-2"))
    assert np.isfinite(logs(whole)).all()
    assert_equal(rest, whole)


def test_two_views_without_dropout_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^The two views are equal: the model has no dropout"):
        run(tmp_path, loss="info_nce")


def test_two_views_in_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trainers.TrainingArguments, "world_size", 2)
    with pytest.raises(ValueError, match=r"^Losses of two views train in one process"):
        make(tmp_path, net=model(**NOISY), loss="info_nce")


def test_temperature_goes_to_the_loss(tmp_path):
    data, net = rows(8), model()
    state = hidden_states(net, data)[0].hidden_states[4]
    trainer = run(tmp_path, data=data, net=net, layers="last", temperature=0.4, subsample=None, args={"steps": 1})
    assert logs(trainer)[0][2] == pytest.approx(losses.dispersion(state, temperature=0.4).item(), rel=1e-5)


def test_per_layer():
    stream = {entry: torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(entry)) for entry in range(4)}
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    found = trainers.per_layer(stream, losses.dispersion, [3, 1], mask, temperature=0.5)
    assert found.tolist() == [losses.dispersion(stream[e], mask=mask, temperature=0.5).item() for e in (3, 1)]


def test_gradient_is_that_of_the_total(tmp_path):
    data, net, twin = rows(8, padded=True), model(), model()
    trainer = make(tmp_path, data=data, net=net, weight=5.0, subsample=None, args={"steps": 1})
    batch = {key: torch.stack([row[key] for row in data]) for key in data[0]}
    output = twin(**batch, output_hidden_states=True)
    regulariser = torch.stack([losses.dispersion(h, mask=batch["attention_mask"]) for h in output.hidden_states[1:]])
    (output.loss + 5 * regulariser.mean()).backward()
    expected = torch.cat([p.grad.flatten() for p in twin.parameters()])
    assert expected.norm() > 1.5  # it is cut to 1
    seen = []
    look = lambda _state, net, _optimizer: seen.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    trainer.add_callback(Watch("on_pre_optimizer_step", look))
    trainer.train()
    assert logs(trainer)[0][3] == pytest.approx(expected.norm().item(), rel=1e-4)
    torch.testing.assert_close(seen[0], expected / expected.norm(), rtol=1e-3, atol=1e-5)


def test_outputs_are_those_of_the_model(tmp_path):
    data, trainer = rows(4), make(tmp_path, subsample=None)
    batch = {key: torch.stack([row[key] for row in data]) for key in data[0]}
    trainer.model.train()
    total, outputs = trainer.compute_loss(trainer.model, batch, return_outputs=True)
    assert torch.equal(trainer.compute_loss(trainer.model, batch), total)
    torch.testing.assert_close(outputs.logits, hidden_states(trainer.model, data)[0].logits)


def test_defaults_are_the_papers():
    usual = {name: p.default for name, p in inspect.signature(DispersionTrainer).parameters.items()}
    expected = {"loss": "dispersion", "weight": None, "layers": "all", "temperature": None, "subsample": 256}
    expected |= {"centre": None, "clamp": None, "acute": False}
    assert {name: usual[name] for name in expected} == expected
    assert (ActiveForgetting().every, ActiveForgetting().std) == (1000, 0.02)


def test_training_with_it_spreads_the_tokens(tmp_path):
    data = rows(8)
    spread = {}
    for loss in (None, "dispersion"):
        trainer = run(tmp_path, data=data, loss=loss, weight=5.0, args={"steps": 12})
        states = hidden_states(trainer.model.eval(), data)[0].hidden_states
        spread[loss] = np.mean([metrics.mean_cosine(h).off_diagonal.mean().item() for h in states[1:]])
        regularisers = [step[2] for step in logs(trainer)]
    assert spread["dispersion"] < spread[None] - 0.1
    assert regularisers[-1] < regularisers[0]


@PADDED
def test_without_loss_it_is_the_plain_trainer(tmp_path, padded):
    data, noisy = rows(padded=padded), {"embd_pdrop": 0.1, "resid_pdrop": 0.1}
    plain = run(tmp_path, data=data, net=model(**noisy), kind=Trainer)
    ours = run(tmp_path, data=data, net=model(**noisy), loss=None)
    assert torch.equal(weights(ours), weights(plain))
    for a, b in zip(ours.state.log_history[:4], plain.state.log_history[:4], strict=True):
        assert {k: v for k, v in a.items() if k not in ("loss_language", "loss_regulariser")} == b
        assert a["loss_language"] == pytest.approx(a["loss"], abs=ROUNDED)
        assert a["loss_regulariser"] == 0


def test_evaluation_has_no_regulariser(tmp_path):
    ours, plain = make(tmp_path, weight=7.0), make(tmp_path, kind=Trainer)
    assert ours.evaluate()["eval_loss"] == plain.evaluate()["eval_loss"]
    ours.train()
    twin = make(tmp_path, net=ours.model, kind=Trainer)
    assert ours.evaluate()["eval_loss"] == twin.evaluate()["eval_loss"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in ours.model.modules())


def test_evaluation_on_the_way_changes_nothing(tmp_path):
    often = {"eval_strategy": "steps", "eval_steps": 1}
    evaluated, plain = run(tmp_path, subsample=8, args=often), run(tmp_path, subsample=8)
    assert sum("eval_loss" in log for log in evaluated.state.log_history) == 4
    assert_equal(evaluated, plain)


@pytest.mark.parametrize("small", [{}, SMALL], ids=["one", "four"])
def test_logs_are_means_over_the_steps_since_the_last(tmp_path, small):
    each, third = (run(tmp_path, args=small | {"steps": 6, "logging_steps": every}, subsample=None) for every in (1, 3))
    expected = np.reshape(logs(each), (2, 3, 5))[..., :3].mean(1)
    np.testing.assert_allclose(np.array(logs(third))[:, :3], expected, rtol=1e-5)


def test_bfloat16_autocast(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # older releases of transformers leave theirs behind
    whole, half = run(tmp_path, subsample=None), run(tmp_path, args={"bf16": True}, subsample=None)
    assert logs(half)[0][1:3] != logs(whole)[0][1:3]
    np.testing.assert_allclose(logs(half), logs(whole), rtol=0.02, atol=0.02)


# --- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "blocks", "expected"),
    [
        ("all", 4, [1, 2, 3, 4]),
        ("all", 5, [1, 2, 3, 4, 5]),
        ("last", 4, [4]),
        ("last", 5, [5]),
        ("early_half", 4, [1, 2]),
        ("early_half", 5, [1, 2]),
        ("late_half", 4, [3, 4]),
        ("late_half", 5, [3, 4, 5]),
        ("block_outputs", 4, [1, 2, 3, 5]),
        ("block_outputs", 1, [2]),
        ([0], 4, [0]),
        ((4, 1), 4, [4, 1]),
    ],
)
def test_entries(layers, blocks, expected):
    assert trainers.entries(layers, blocks) == expected


def test_halves_make_the_whole():
    for blocks in range(2, 14):
        halves = trainers.entries("early_half", blocks) + trainers.entries("late_half", blocks)
        assert halves == trainers.entries("all", blocks)


@pytest.mark.parametrize(("layers", "blocks"), [([5], 4), ([-1], 4), ([1, 2, 9], 4), ([], 4), ("early_half", 1)])
def test_entries_that_do_not_exist_are_refused(layers, blocks):
    expected = f"layers={layers!r}: a model of {blocks} blocks has the entries 0 to {blocks}, each once."
    with pytest.raises(ValueError, match=re.escape(expected)):
        trainers.entries(layers, blocks)


def test_unknown_layers_name_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown layers 'late_halves'\. Did you mean 'late_half'\? Known: all, "):
        unchecked(trainers.entries)("late_halves", 4)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layers": [5]}, r"layers=\[5\]: a model of 4 blocks has the entries 0 to 4"),
        ({"weight": 0.0}, "weight must be above 0, got 0.0. For plain training give loss=None"),
        ({"weight": -0.1}, "weight must be above 0, got -0.1"),
        ({"weight": float("inf")}, "weight must be above 0, got inf"),
        ({"weight": float("nan")}, "weight must be above 0, got nan"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"temperature": -1.0}, "temperature must be above 0, got -1.0"),
        ({"temperature": 0.001}, "temperature must lie between 0.02 and inf, got 0.001"),
        ({"subsample": 1}, "subsample must be at least 2, got 1"),
        ({"centre": "bach"}, "centre is 'batch' or None. A tensor is of one layer"),
        ({"centre": "batch", "loss": "decorrelation"}, "Unknown option of decorrelation 'centre'"),
        ({"acute": True, "loss": "orthogonalization"}, "Unknown option of orthogonalization 'acute'"),
        ({"acute": True, "clamp": 0.6}, "clamp must be below 0.5, got 0.6"),
        ({"clamp": 0.0}, "clamp must lie between 1e-06 and 0.999, got 0"),
        ({"temperature": 1.0, "loss": "decorrelation"}, "Unknown option of decorrelation 'temperature'"),
        ({"loss": "dispersoin"}, "Unknown loss 'dispersoin'. Did you mean 'dispersion'"),
        ({"loss": {"dispersoin": 1.0}}, "Unknown loss 'dispersoin'. Did you mean 'dispersion'"),
        ({"loss": {"koleo": -1.0}}, "The weight of koleo must be above 0, got -1.0"),
        ({"loss": {}}, "No loss given"),
        ({"loss": {"koleo": 1.0}, "clamp": 0.2}, r"clamp: set it in the loss itself, losses.get\(name, clamp=...\)"),
        ({"loss": losses.cosine, "temperature": 0.5}, "temperature: set it in the loss itself"),
        ({"loss": "sigreg", "subsample": 4}, "for which 8 tokens are too few"),
        ({"net": torch.nn.Linear(2, 2)}, "Found no Transformer blocks in Linear"),
    ],
)
def test_bad_input_is_refused_at_the_door(tmp_path, options, expected):
    with pytest.raises(ValueError, match=expected):
        make(tmp_path, **options)


@pytest.mark.parametrize(("options", "got"), [({"weight": "x"}, "'x' and None"), ({"temperature": "x"}, "0.1 and 'x'")])
def test_what_is_no_number_is_refused_in_words(tmp_path, monkeypatch, options, got):
    monkeypatch.setattr(trainers.DispersionMixin, "__init__", unchecked(trainers.DispersionMixin.__init__))
    with pytest.raises(ValueError, match=f"^weight and temperature are numbers, got {got}.$"):
        make(tmp_path, **options)


def test_several_gpus_in_one_process_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trainers.TrainingArguments, "n_gpu", 2)
    with pytest.raises(ValueError, match=r"Several GPUs in one process are not supported\. Start with `accelerate"):
        make(tmp_path)
    monkeypatch.setattr(trainers.TrainingArguments, "n_gpu", 1)
    make(tmp_path)


# --- what is no longer finite ---------------------------------------------------------------------------------------


def spoil(step, part, value=torch.nan):
    """Puts `value` into the weights of a part of the model before a step, counted from 1."""

    def now(state, net, _optimizer):
        if state.global_step == step - 1:
            with torch.no_grad():
                net.get_submodule(part).weight.fill_(value)

    return Watch("on_step_begin", now)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_layer_stops_training_and_is_named(tmp_path, value):
    trainer = make(
        tmp_path,
        callbacks=[spoil(4, "transformer.h.1.mlp.c_proj", value)],
        args={"steps": 6, "save_strategy": "steps", "save_steps": 2},
    )
    expected = (
        rf"Step 4: the regulariser at entries 2, 3, 4 is not finite .*Last checkpoint: {tmp_path}/checkpoint-2\. "
    )
    with pytest.raises(FloatingPointError, match=expected):
        trainer.train()
    assert trainer.state.global_step == 3


def test_without_a_checkpoint_it_says_so(tmp_path):
    trainer = make(tmp_path, layers=[1, 4], callbacks=[spoil(1, "transformer.ln_f")])
    with pytest.raises(
        FloatingPointError, match=r"Step 1: the regulariser at entries 4 is .* Last checkpoint: none\. "
    ):
        trainer.train()


@pytest.mark.parametrize("loss", [None, "dispersion"])
def test_a_broken_language_loss_stops_training(tmp_path, loss):
    net = model(tie_word_embeddings=False)
    trainer = make(tmp_path, net=net, loss=loss, callbacks=[spoil(2, "lm_head")])
    with pytest.raises(FloatingPointError, match=r"Step 2: the language-model loss is not .*loss nan"):
        trainer.train()


def test_a_broken_regulariser_alone_stops_training(tmp_path):
    trainer = make(tmp_path)
    calls = iter(range(100))
    trainer.loss = lambda z, **_: z.sum() * (torch.inf if next(calls) == 6 else 0)
    with pytest.raises(FloatingPointError, match=r"Step 2: the regulariser at entries 3 is .*loss \d\.\d"):
        trainer.train()


# --- the random tokens ----------------------------------------------------------------------------------------------


class Spy:
    """In place of the loss of a trainer: keeps what it is given."""

    def __init__(self, trainer):
        self.loss, self.calls = trainer.loss, []
        trainer.loss = self

    def __call__(self, z, **how):
        generator = how["generator"]
        self.calls.append({"z": z.detach(), "start": generator.get_state().tolist(), **how})
        return self.loss(z, **how)


def states_of(folder, **how):
    trainer = make(folder, subsample=16, **how)
    spy = Spy(trainer)
    trainer.train()
    return [tuple(call["start"]) for call in spy.calls]


def test_draws_differ_between_layers_batches_and_steps(tmp_path):
    small = {"steps": 3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    states = states_of(tmp_path, args=small)
    assert len(states) == len(set(states)) == 3 * 2 * 4


def test_draws_are_repeatable_and_go_with_the_seed(tmp_path):
    first, again = states_of(tmp_path, args={"steps": 2}), states_of(tmp_path, args={"steps": 2})
    assert first == again
    assert not set(first) & set(states_of(tmp_path, args={"steps": 2, "seed": 7}))


def test_draws_differ_between_processes(tmp_path, monkeypatch):
    first = make(tmp_path)._generator()
    monkeypatch.setattr(trainers.TrainingArguments, "process_index", 1)
    assert first.initial_seed() != make(tmp_path)._generator().initial_seed()


def test_subsample_goes_to_the_loss(tmp_path):
    trainer = make(tmp_path, subsample=5, args={"steps": 1})
    spy = Spy(trainer)
    trainer.train()
    assert [call["subsample"] for call in spy.calls] == [5] * 4
    assert [tuple(call["z"].shape) for call in spy.calls] == [(8, LENGTH, 32)] * 4


def test_draws_leave_the_global_random_state(tmp_path):
    noisy = {"embd_pdrop": 0.1, "resid_pdrop": 0.1}
    few = run(tmp_path, net=model(**noisy), subsample=8, args={"steps": 1})
    every = run(tmp_path, net=model(**noisy), subsample=None, args={"steps": 1})
    assert logs(few)[0][1] == logs(every)[0][1]
    assert logs(few)[0][2] != logs(every)[0][2]


# --- on the way -----------------------------------------------------------------------------------------------------


def stop_after(step):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = state.global_step == step

    return Stop()


@pytest.mark.parametrize("forgetting", [False, True])
def test_a_resumed_run_is_the_same(tmp_path, forgetting):
    noisy = {"embd_pdrop": 0.1, "resid_pdrop": 0.1, "tie_word_embeddings": False}
    saving = {"steps": 6, "save_strategy": "steps", "save_steps": 3}

    def started(folder, *callbacks, **how):
        callbacks = [*callbacks, ActiveForgetting(2)] if forgetting else callbacks
        trainer = make(folder, net=model(**noisy), subsample=16, args=saving, callbacks=callbacks)
        trainer.train(**how)
        return trainer

    whole = started(tmp_path / "whole")
    assert started(tmp_path / "cut", stop_after(3)).state.global_step == 3
    rest = started(tmp_path / "cut", resume_from_checkpoint=str(tmp_path / "cut" / "checkpoint-3"))
    assert len(logs(rest)) == 6
    assert_equal(rest, whole)


def test_neftune_works_together(tmp_path):
    alpha, data, net = 5.0, rows(8), model()
    trainer = make(tmp_path, data=data, net=net, layers=[0, 1], args={"neftune_noise_alpha": alpha, "steps": 2})
    clean = hidden_states(net, data)[0].hidden_states[0]
    spy = Spy(trainer)
    trainer.train()
    noise = (spy.calls[0]["z"][:, None] - clean).abs().amax((-2, -1)).amin(1)  # the batch is in another order
    bound = alpha / (LENGTH * 32) ** 0.5
    assert (noise < bound * (1 + 1e-5)).all()
    assert (noise > bound * 0.98).all()
    plain = run(tmp_path, data=data, layers=[0, 1], args={"steps": 2})
    assert logs(trainer)[0][2] < logs(plain)[0][2] - 0.001  # noise spreads
    assert trainer.evaluate()["eval_loss"] == make(tmp_path, net=net, data=data, kind=Trainer).evaluate()["eval_loss"]


# --- the paper's optimiser ------------------------------------------------------------------------------------------


def test_paper_arguments(tmp_path):
    args = trainers.paper_arguments(tmp_path, 1526, use_cpu=True)
    assert args.max_steps == 1526
    assert args.warmup_steps == 305
    assert args.lr_scheduler_type == "cosine"
    assert args.learning_rate == 5e-5
    assert (args.adam_beta1, args.adam_beta2) == (0.9, 0.95)
    assert args.weight_decay == 0.1
    assert args.max_grad_norm == 1.0
    assert args.bf16 == torch.cuda.is_available()
    assert args.output_dir == str(tmp_path)
    assert args.report_to == []


@pytest.mark.parametrize(("processes", "rate"), [(1, 5e-5), (2, 5e-5 * 2**0.5), (4, 1e-4)])
def test_learning_rate_goes_with_the_root_of_the_processes(tmp_path, processes, rate):
    args = trainers.paper_arguments(tmp_path, 10, world_size=processes, use_cpu=True)
    assert args.learning_rate == pytest.approx(rate, rel=1e-12)


def test_other_arguments_come_first(tmp_path):
    args = trainers.paper_arguments(tmp_path, 10, learning_rate=3e-4, bf16=False, warmup_steps=1, use_cpu=True, seed=5)
    assert (args.learning_rate, args.bf16, args.warmup_steps, args.seed) == (3e-4, False, 1, 5)


def test_learning_rate_warms_up_and_falls_as_a_cosine(tmp_path):
    found = [step[-1] for step in logs(run(tmp_path, args={"steps": 10}))]
    np.testing.assert_allclose(found, [cosine_rate(s, 10, 1e-2, 2) for s in range(10)], rtol=1e-9)


# --- two processes --------------------------------------------------------------------------------------------------


@pytest.mark.slow_process
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this build of torch has no gloo")
def test_two_processes_give_the_same_as_one_with_twice_the_batch(tmp_path):
    all_done(two_forked(tiny_training.write_padded, str(tmp_path / "result.json"), 4))
    found, expected = json.loads((tmp_path / "result.json").read_text()), tiny_training.train_padded(8)
    assert (found["processes"], expected["processes"]) == (2, 1)
    np.testing.assert_allclose(found["logs"], expected["logs"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=1e-9)


# --- rows of several documents, and rows of none ---------------------------------------------------------------------


def packed(*lengths, **others):
    """One row of documents that are the beginnings of rows, told by their positions, or by the column `others`."""
    ids = torch.cat([row["input_ids"][:n] for row, n in zip(rows(), lengths, strict=False)])
    positions = torch.cat([torch.arange(n) for n in lengths])
    return {"input_ids": ids, "labels": ids, "position_ids": positions} | others


@pytest.mark.skipif(RELEASE < 5, reason="GPT-2 of earlier releases attends across packed documents")
def test_a_packed_row_is_trained_as_the_mean_of_its_documents(tmp_path):
    data = [packed(6, 18)] * 8
    first = logs(run(tmp_path, data=data, net=model().double(), subsample=None))[0][2]
    texts = [[row["input_ids"][:n]] for row, n in zip(rows(), (6, 18), strict=False)]
    net = model().double()
    alone = []
    for (ids,) in texts:
        states = net(ids[None], output_hidden_states=True).hidden_states[1:]
        alone.append(np.mean([losses.dispersion(state).item() for state in states]))
    assert first == pytest.approx(np.mean(alone), rel=1e-6)


def test_a_column_of_document_numbers_is_for_the_regulariser_alone(tmp_path):
    by_position = [packed(6, 18)] * 8
    numbers = torch.tensor([7] * 6 + [3] * 18)
    by_number = [{**row, "document_ids": numbers} for row in by_position]
    whole = [{name: value for name, value in row.items() if name != "document_ids"} for row in by_number]
    found = [logs(run(tmp_path, data=data, subsample=None)) for data in (by_position, by_number, whole)]
    assert found[0] == found[1] == found[2]
    plain = [{"input_ids": row["input_ids"], "labels": row["labels"]} for row in by_position]
    numbered = [{**row, "document_ids": numbers} for row in plain]
    found = [logs(run(tmp_path, data=data, subsample=None))[0] for data in (plain, numbered)]
    assert found[0][1] == found[1][1]  # the model is not told
    assert found[0][2] != found[1][2]


def test_a_row_of_one_token_ends_no_run(tmp_path):
    short = [{"input_ids": torch.tensor([5]), "labels": torch.tensor([5])}]
    batch = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}
    trainer = run(tmp_path, data=short * 8, args=batch | {"steps": 2}, net=model().double())
    first = trainer.state.log_history[0]
    assert first["loss_regulariser"] == 0
    assert first["batches_without_pairs"] == 2


def test_a_short_batch_beside_a_long_one_counts_as_zero(tmp_path):
    row = rows()[0]
    short = {name: value[:1] for name, value in row.items()}
    how = {"args": {"per_device_train_batch_size": 1, "steps": 1}, "subsample": None, "net": model().double()}
    alone = run(tmp_path, data=[row], **how).state.log_history[0]
    how["args"] |= {"gradient_accumulation_steps": 2}
    both = run(tmp_path, data=[row, short], **how | {"net": model().double()}).state.log_history[0]
    assert "batches_without_pairs" not in alone
    assert both["batches_without_pairs"] == 1
    assert both["loss_regulariser"] == pytest.approx(alone["loss_regulariser"] / 2, rel=1e-6)


BETWEEN = pytest.mark.parametrize("how", [{"loss": "mean_direction"}, {"centre": "batch"}], ids=["mean", "centred"])


@BETWEEN
def test_losses_between_texts_train_on_those_of_the_batch(tmp_path, how):
    data, net = rows(8, padded=True), model()
    output, mask = hidden_states(net, data)
    loss = losses.mean_direction if "loss" in how else losses.get("dispersion", **how)
    expected = np.mean([loss(h, mask=mask).item() for h in output.hidden_states[1:]])
    trained = run(tmp_path, data=data, net=net, subsample=None, weight=5.0, args={"steps": 12}, **how)
    plain = run(tmp_path, data=data, loss=None, args={"steps": 12})
    assert logs(trained)[0][2] == pytest.approx(expected, rel=1e-4)
    after = [hidden_states(trainer.model.eval(), data)[0].hidden_states[1:] for trainer in (trained, plain)]
    ours, without = (np.mean([loss(h, mask=mask).item() for h in states]) for states in after)
    assert ours < without - 0.02


@BETWEEN
def test_a_first_batch_of_one_text_is_refused_and_a_later_one_counts_as_zero(tmp_path, how):
    with pytest.raises(ValueError, match="the batch has 1 of two tokens or more"):
        run(tmp_path, args={"per_device_train_batch_size": 1, "steps": 1}, **how)
    found = run(tmp_path, data=rows(9), args={"steps": 2}, **how).state.log_history
    assert "batches_without_pairs" not in found[0]
    assert (found[1]["batches_without_pairs"], found[1]["loss_regulariser"]) == (1, 0)


# --- what could not train is refused ---------------------------------------------------------------------------------


def test_a_frozen_trunk_is_refused_in_training(tmp_path):
    net = model()
    net.transformer.requires_grad_(False)
    net.lm_head.weight = torch.nn.Parameter(net.lm_head.weight.detach().clone())
    with pytest.raises(RuntimeError, match="No forward pass of the model had a gradient, so the regulariser could not"):
        run(tmp_path, net=net)
    assert len(logs(run(tmp_path, net=net, loss=None))) == 4


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_regulariser_that_reaches_no_weight_is_refused_under_checkpointing_too(tmp_path, reentrant):
    """The embeddings require a gradient there, and none of their weights does."""
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.LoraConfig(target_modules=["c_attn"], layers_to_transform=[3], fan_in_fan_out=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = peft.get_peft_model(model(), config)
        net.enable_input_require_grads()
        net.gradient_checkpointing_enable({"use_reentrant": reentrant})
        with pytest.raises(RuntimeError, match="the regulariser could not train it"):
            run(tmp_path, net=net, layers="early_half")
        assert logs(run(tmp_path, net=net, layers="late_half"))[0][2] < -0.1


def test_a_trainer_that_makes_its_loss_elsewhere_is_refused(tmp_path):
    class Elsewhere(DispersionTrainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            loss = model(**inputs).loss
            loss.backward()
            return loss.detach()

    with pytest.raises(RuntimeError, match="Elsewhere was never asked for its loss, so the regulariser did not train"):
        run(tmp_path, kind=Elsewhere)
    assert len(run(tmp_path, kind=Elsewhere, loss=None).state.log_history) > 0


def test_a_collator_that_drops_the_document_numbers_is_refused(tmp_path):
    data = [packed(6, 18, document_ids=torch.tensor([0] * 6 + [1] * 18))] * 8
    trainer = make(tmp_path, data=data)
    kept = trainer.data_collator
    trainer.data_collator = lambda rows: {k: v for k, v in kept(rows).items() if k != "document_ids"}
    with pytest.raises(ValueError, match='has a column "document_ids", and the data collator drops it'):
        trainer.train()


@pytest.mark.parametrize("layers", [[1, 1, 2], [True], [1.0]], ids=str)
def test_entries_are_whole_numbers_each_once(layers):
    with pytest.raises(ValueError, match="entries 0 to 4, each once"):
        unchecked(trainers.entries)(layers, 4)


def test_the_mixin_behind_the_trainer_is_refused():
    message = r"Wrong: Trainer comes before DispersionMixin.*Write class Wrong\(DispersionMixin, Trainer\)"
    with pytest.raises(TypeError, match=message):
        type("Wrong", (Trainer, trainers.DispersionMixin), {})


def test_a_subclass_may_add_to_the_loss(tmp_path):
    class Doubled(DispersionTrainer):
        def compute_loss(self, *args, **kwargs):
            return 2 * super().compute_loss(*args, **kwargs)

    single, double = (run(tmp_path, kind=kind, args={"steps": 1}) for kind in (DispersionTrainer, Doubled))
    assert logs(double)[0][0] == pytest.approx(2 * logs(single)[0][0], rel=1e-4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated", *COMPILING)
@pytest.mark.parametrize("kind", ["compiled", "lora"])
def test_a_wrapped_model_trains_as_by_hand(tmp_path, kind):
    net = model().double()
    if kind == "lora":
        peft = pytest.importorskip("peft", reason="PEFT is not installed")
        config = peft.LoraConfig(r=4, target_modules=["c_attn"], init_lora_weights=False, fan_in_fan_out=True)
        net = peft.get_peft_model(net, config).double()
    data = rows(8)
    args = {"optim": "sgd", "steps": 1, "max_grad_norm": 0.0, "learning_rate": 0.1, "weight_decay": 0.0}
    args |= {"lr_scheduler_type": "constant", "warmup_steps": 0}
    args |= {"torch_compile": True, "torch_compile_backend": "eager"} if kind == "compiled" else {}
    wanted = [p for p in net.parameters() if p.requires_grad]
    before = torch.cat([p.detach().flatten() for p in wanted])
    inner = net.get_base_model() if kind == "lora" else net
    batch = {name: torch.stack([row[name] for row in data]) for name in data[0]}
    out = inner(**batch, output_hidden_states=True)
    value = torch.stack([losses.dispersion(state) for state in out.hidden_states[1:]]).mean()
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(out.loss + 3 * value, wanted)])
    run(tmp_path, net=net, data=data, args=args, weight=3.0, subsample=None)
    after = torch.cat([p.detach().flatten() for p in wanted])
    torch.testing.assert_close(after - before, -0.1 * gradient, rtol=1e-6, atol=1e-9)
