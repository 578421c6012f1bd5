"""Distillation against brute force in float64, against the trainer it builds on, and on a toy run."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_training import arguments, logs, model, rows, weights
from toys import VOCABULARY, tiny, unchecked
from transformers import Trainer, TrainerCallback

from decondense import losses
from decondense.trainers.distillation import DistillationTrainer, divergence, matched_entries, relation

pytestmark = pytest.mark.usefixtures("frozen")
KINDS = pytest.mark.parametrize("kind", ["logits", "hidden"])
SMALL = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}


def teacher(seed=5, depth=2, **changes):
    """A GPT-2 of another depth, width and draw than the student's, with sharp predictions."""
    net = tiny("gpt2", n_layer=depth, n_embd=48, bos_token_id=0, eos_token_id=0, **changes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return net


def run(folder, *, net=None, of=None, data=None, args=None, callbacks=(), resume=None, **options):
    data = rows() if data is None else data
    options = {"loss": None} | options
    trainer = DistillationTrainer(
        model=model() if net is None else net, teacher=teacher() if of is None else of,
        args=arguments(folder, **args or {}), train_dataset=data, eval_dataset=data[:16], callbacks=list(callbacks),
        **options,
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def distilled(trainer):
    """The logged distillation term, step by step."""
    return [log["loss_distillation"] for log in trainer.state.log_history if "loss" in log]


def batch_of(data):
    return {key: torch.stack([row[key] for row in data]) for key in data[0]}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- divergence -----------------------------------------------------------------------------------------------------


def brute_divergence(student, target, labels, temperature):
    values = []
    for s, t, label in zip(student.tolist(), target.tolist(), labels.tolist(), strict=True):
        for position in range(len(label) - 1):
            if label[position + 1] == -100:
                continue
            p, q = ([math.exp(x / temperature) for x in row[position]] for row in (t, s))
            p, q = ([x / sum(row) for x in row] for row in (p, q))
            values.append(temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return values


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_divergence_is_the_formula(temperature):
    student, target = random(2, 5, 7), 3 * random(2, 5, 7, seed=1)
    labels = torch.tensor([[1, 2, 3, -100, 4], [-100, -100, 6, 0, -100]])
    found = divergence(student, target, labels, temperature)
    assert len(found) == 5
    np.testing.assert_allclose(found, brute_divergence(student, target, labels, temperature), rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(0.3, 10), st.floats(-50, 50))
def test_divergence_is_positive_and_ignores_a_shift_of_the_logits(seed, temperature, shift):
    student, target, labels = random(1, 4, 5, seed=seed), random(1, 4, 5, seed=seed + 1), torch.zeros(1, 4).long()
    found = divergence(student, target, labels, temperature)
    assert (found > 0).all()
    torch.testing.assert_close(divergence(student + shift, target - shift, labels, temperature), found)
    assert (divergence(target, target, labels, temperature) == 0).all()


def test_gradient_of_the_divergence():
    student, target = random(1, 4, 5).requires_grad_(), random(1, 4, 5, seed=1)
    labels = torch.tensor([[1, 2, -100, 3]])
    assert torch.autograd.gradcheck(lambda z: divergence(z, target, labels, 2.0), student)
    (divergence(student, target, labels, 2.0).sum()).backward()
    expected = 2 * ((student / 2).softmax(-1) - (target / 2).softmax(-1))  # T times the difference
    torch.testing.assert_close(student.grad[0, [0, 2]], expected[0, [0, 2]].detach())
    assert (student.grad[0, [1, 3]] == 0).all()  # no label follows


def test_the_gradient_has_one_size_at_high_temperatures():
    student, target, labels = random(1, 2, 9).requires_grad_(), random(1, 2, 9, seed=1), torch.zeros(1, 2).long()
    sizes = [
        torch.autograd.grad(divergence(student, target, labels, t).sum(), student)[0].norm() for t in (50.0, 500.0)
    ]
    assert sizes[1] / sizes[0] == pytest.approx(1, abs=0.02)


def test_divergence_of_bfloat16_is_that_of_float32():
    student, target = (random(1, 4, 50, seed=s).bfloat16() for s in (0, 1))
    labels = torch.zeros(1, 4).long()
    found = divergence(student, target, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, divergence(student.float(), target.float(), labels))


# --- relation -------------------------------------------------------------------------------------------------------


def brute_relation(s, t, mask):
    values = []
    for a, b, m in zip(s, t, mask, strict=True):
        tokens = [i for i in range(len(m)) if m[i]]
        if len(tokens) < 2:
            continue
        cosine = lambda z, i, j: float(torch.nn.functional.cosine_similarity(z[i], z[j], dim=0))
        pairs = [(i, j) for i in tokens for j in tokens if i != j]
        values.append(np.mean([(cosine(a, i, j) - cosine(b, i, j)) ** 2 for i, j in pairs]))
    return np.mean(values)


def test_relation_is_the_formula():
    s, t = random(3, 5, 4), random(3, 5, 7, seed=1)
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [1, 0, 0, 0, 0]])
    assert relation(s, t, mask).item() == pytest.approx(brute_relation(s, t, mask), rel=1e-9)
    assert relation(s, t).item() == pytest.approx(brute_relation(s, t, torch.ones(3, 5)), rel=1e-9)


def test_relation_of_closed_cases():
    axes, line = torch.eye(3)[None], torch.ones(1, 3, 2)
    assert relation(axes, line).item() == pytest.approx(1)  # cosines 0 against 1
    assert relation(torch.tensor([[[1.0], [-1.0]]]), line[:, :2]).item() == pytest.approx(4)
    assert relation(torch.zeros(1, 3, 4), axes).item() == 0  # a zero vector has cosine 0 to the others
    assert relation(axes, axes).item() == 0


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_relation_ignores_rotations_and_lengths(seed, scale):
    s, t = random(2, 6, 5, seed=seed), random(2, 6, 3, seed=seed + 1)
    rotation = torch.linalg.qr(random(5, 5, seed=seed + 2)).Q
    found = relation(s, t)
    assert 0 <= found <= 4
    torch.testing.assert_close(relation(scale * s @ rotation, t), found)
    assert relation(s, s @ rotation).item() == pytest.approx(0, abs=1e-20)


def test_gradient_of_the_relation():
    s, t = random(2, 4, 3).requires_grad_(), random(2, 4, 5, seed=1)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    assert torch.autograd.gradcheck(lambda z: relation(z, t, mask), s)
    relation(s, t, mask).backward()
    assert (s.grad[0, 3] == 0).all()
    zero = torch.zeros(1, 3, 2, requires_grad=True)
    relation(zero, t[:1, :3].float()).backward()
    assert zero.grad.isfinite().all()


def test_autocast_does_not_reach_the_relation():
    s, t = random(2, 6, 5).float(), random(2, 6, 3, seed=1).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(relation(s, t), relation(s, t).float())
        inside = relation(s, t)
    assert torch.equal(inside, relation(s, t))


def test_one_token_is_refused():
    with pytest.raises(ValueError, match="pairs need at least 2"):
        relation(random(1, 1, 3), random(1, 1, 3))


@pytest.mark.parametrize(
    ("student", "target", "expected"),
    [
        (4, 16, {1: 4, 2: 8, 3: 12, 4: 16}),
        (4, 4, {1: 1, 2: 2, 3: 3, 4: 4}),
        (2, 3, {1: 2, 2: 3}),
        (4, 2, {1: 1, 2: 1, 3: 2, 4: 2}),
    ],
)
def test_matched_entries(student, target, expected):
    assert matched_entries(student, target) == expected


@given(st.integers(1, 80), st.integers(1, 80))
def test_the_last_entries_match_and_the_embedding_does_not(student, target):
    found = list(matched_entries(student, target).values())
    assert found[-1] == target
    assert found[0] >= 1
    assert found == sorted(found)


# --- the trainer ----------------------------------------------------------------------------------------------------


@KINDS
def test_first_loss_is_that_of_the_two_models(tmp_path, kind):
    data, net, of = rows(8, padded=True), model(), teacher()
    batch = batch_of(data)
    with torch.no_grad():
        ours, theirs = (n(**batch, output_hidden_states=True) for n in (net, of))
    if kind == "logits":
        expected = divergence(ours.logits, theirs.logits, batch["labels"], 3.0).mean().item()
    else:
        pairs = [(1, 1), (2, 1), (3, 2), (4, 2)]
        states = [(ours.hidden_states[a], theirs.hidden_states[b], batch["attention_mask"]) for a, b in pairs]
        expected = np.mean([relation(*each).item() for each in states])
    how = {"distillation_temperature": 3.0} if kind == "logits" else {}
    trainer = run(tmp_path, net=net, of=of, data=data, kind=kind, share=0.3, args={"steps": 1}, **how)
    total, language, *_ = logs(trainer)[0]
    assert distilled(trainer)[0] == pytest.approx(expected, rel=1e-5)
    assert language == pytest.approx(ours.loss.item(), rel=1e-5)
    assert total == pytest.approx(0.7 * language + 0.3 * expected, abs=6e-5)


@KINDS
def test_gradient_is_that_of_the_total(tmp_path, kind):
    data, twin, of = rows(8, padded=True), model(), teacher()
    batch = batch_of(data)
    output = twin(**batch, output_hidden_states=True)
    with torch.no_grad():
        target = of(**batch, output_hidden_states=True)
    states, mask = output.hidden_states, batch["attention_mask"]
    pairs = zip(states[1:], (target.hidden_states[i] for i in (1, 1, 2, 2)), strict=True)
    hidden = torch.stack([relation(s, t, mask) for s, t in pairs]).mean()
    term = hidden if kind == "hidden" else divergence(output.logits, target.logits, batch["labels"]).mean()
    regulariser = torch.stack([losses.dispersion(h, mask=mask) for h in states[1:]]).mean()
    (0.3 * output.loss + 0.7 * term + 5 * regulariser).backward()
    expected = torch.cat([p.grad.flatten() for p in twin.parameters()]).norm()
    how = {"share": 0.7, "loss": "dispersion", "weight": 5.0, "subsample": None, "args": {"steps": 1}}
    trainer = run(tmp_path, of=of, data=data, kind=kind, **how)
    assert logs(trainer)[0][3] == pytest.approx(expected.item(), rel=1e-4)


@KINDS
def test_share_zero_is_plain_training_bit_for_bit(tmp_path, kind):
    data, noisy = rows(padded=True), {"embd_pdrop": 0.1, "resid_pdrop": 0.1}
    ours = run(tmp_path, net=model(**noisy), data=data, kind=kind, share=0.0)
    plain = Trainer(model=model(**noisy), args=arguments(tmp_path), train_dataset=data)
    plain.train()
    assert torch.equal(weights(ours), weights(plain))
    for a, b in zip(ours.state.log_history[:4], plain.state.log_history[:4], strict=True):
        assert {k: v for k, v in a.items() if k not in DistillationTrainer.terms} == b
    assert min(distilled(ours)) > 0  # seen all the same


@KINDS
def test_a_teacher_equal_to_the_student_teaches_nothing(tmp_path, kind):
    net = model()
    trainer = run(tmp_path, net=net, of=copy.deepcopy(net), kind=kind, share=1.0, args={"steps": 1})
    assert distilled(trainer) == pytest.approx([0], abs=1e-9)
    assert logs(trainer)[0][3] < 1e-6  # the norm of the gradient


@pytest.mark.parametrize(("kind", "loss"), [("logits", "dispersion"), ("hidden", None)])
def test_accumulation_gives_the_same_as_one_batch(tmp_path, kind, loss):
    """One batch of 8, and four of 2; texts of several lengths."""
    data, how = rows(padded=True), {"kind": kind, "loss": loss, "subsample": None}
    nets = lambda: {"net": model().double(), "of": teacher().double()}
    one, other = (run(tmp_path, **nets(), data=data, args=args, **how) for args in ({}, SMALL))
    np.testing.assert_allclose(logs(other), logs(one), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(distilled(other), distilled(one), rtol=1e-6)
    torch.testing.assert_close(weights(other), weights(one), rtol=0, atol=1e-9)


@KINDS
def test_accumulation_where_the_model_divides_by_its_own_batch(tmp_path, kind):
    found = []
    for args in ({}, SMALL):
        of = teacher().double()
        trainer = DistillationTrainer(
            model=model().double(), teacher=of, args=arguments(tmp_path, **args), train_dataset=rows(), kind=kind,
            loss=None,
        )  # fmt: skip
        trainer.model_accepts_loss_kwargs = False
        trainer.train()
        found.append(trainer)
    np.testing.assert_allclose(distilled(found[1]), distilled(found[0]), rtol=1e-6)
    torch.testing.assert_close(weights(found[1]), weights(found[0]), rtol=0, atol=1e-9)


@KINDS
def test_terms_add_up_to_the_loss(tmp_path, kind):
    trainer = run(tmp_path, data=rows(padded=True), kind=kind, share=0.4, loss="dispersion", weight=0.7, args=SMALL)
    for (total, language, regulariser, *_), term in zip(logs(trainer), distilled(trainer), strict=True):
        expected = 0.6 * language + 0.4 * term + 0.7 * regulariser
        assert total == pytest.approx(expected, abs=6e-5)
        assert regulariser != 0


@KINDS
def test_padding_teaches_nothing(tmp_path, kind):
    data = rows(8, padded=True)
    other = copy.deepcopy(data)
    for row in other:
        row["input_ids"][row["attention_mask"] == 0] = 7
    assert any((a["input_ids"] != b["input_ids"]).any() for a, b in zip(data, other, strict=True))
    first, second = (run(tmp_path, data=d, kind=kind, share=1.0, args={"steps": 2}) for d in (data, other))
    assert distilled(first) == pytest.approx(distilled(second), rel=1e-5)
    torch.testing.assert_close(weights(first), weights(second), rtol=0, atol=1e-4)


def test_the_teacher_is_frozen_and_not_saved(tmp_path):
    of = teacher(embd_pdrop=0.5).train()
    before = [p.clone() for p in of.parameters()]
    trainer = run(tmp_path, of=of, share=1.0)
    assert not of.training
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, of.parameters(), strict=True))
    ids = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert not ids & {id(p) for p in of.parameters()}
    assert not any(m._forward_hooks or m._forward_pre_hooks for net in (of, trainer.model) for m in net.modules())


@KINDS
def test_evaluation_is_the_cross_entropy(tmp_path, kind):
    trainer = run(tmp_path, kind=kind, args={"steps": 1})
    plain = Trainer(model=trainer.model, args=arguments(tmp_path), eval_dataset=rows()[:16])
    assert trainer.evaluate()["eval_loss"] == plain.evaluate()["eval_loss"]


@KINDS
def test_bfloat16_autocast(tmp_path, kind, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    whole, half = (run(tmp_path, kind=kind, args=a) for a in ({}, {"bf16": True}))
    assert distilled(half) != distilled(whole)
    np.testing.assert_allclose(distilled(half), distilled(whole), rtol=0.05)


class Stop(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step == 3


@KINDS
def test_a_resumed_run_is_the_same(tmp_path, kind):
    noisy, saving = {"embd_pdrop": 0.1}, {"steps": 6, "save_strategy": "steps", "save_steps": 3}
    started = lambda folder, **how: run(
        tmp_path / folder, net=model(**noisy), kind=kind, loss="dispersion", subsample=16, args=saving, **how
    )
    whole = started("whole")
    started("cut", callbacks=[Stop()])
    rest = started("cut", resume=str(tmp_path / "cut" / "checkpoint-3"))
    assert logs(rest) == logs(whole)
    assert distilled(rest) == distilled(whole)
    assert torch.equal(weights(rest), weights(whole))


class Spoil(TrainerCallback):
    """Puts NaN into a part of a model before the second step."""

    def __init__(self, part):
        self.part = part

    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 1:
            with torch.no_grad():
                self.part.weight.fill_(torch.nan)


@KINDS
def test_a_broken_teacher_stops_training(tmp_path, kind):
    of = teacher()
    with pytest.raises(
        FloatingPointError, match=r"Step 2: the distillation is not finite \(language-model loss \d\.\d"
    ):
        run(tmp_path, of=of, kind=kind, callbacks=[Spoil(of.transformer.ln_f)])


def test_a_broken_student_stops_training(tmp_path):
    net = model(tie_word_embeddings=False)
    with pytest.raises(FloatingPointError, match=r"Step 2: the language-model loss is not .*loss nan"):
        run(tmp_path, net=net, callbacks=[Spoil(net.lm_head)])


# --- what it does ---------------------------------------------------------------------------------------------------


def test_the_student_comes_closer_to_the_teacher_than_with_cross_entropy_alone(tmp_path):
    """Random texts have nothing to teach, so cross-entropy leads away from the teacher's predictions."""
    data, fallen = rows(32), {}
    for share in (0.0, 0.5, 1.0):
        seen = distilled(run(tmp_path, data=data, share=share, args={"steps": 24}))
        fallen[share] = np.mean(seen[:2]) - np.mean(seen[-2:])
    assert fallen[0.5] > fallen[0.0] + 0.05
    assert fallen[1.0] > fallen[0.5]


def test_the_states_come_closer_to_the_teachers(tmp_path):
    seen = distilled(run(tmp_path, data=rows(32), kind="hidden", share=1.0, args={"steps": 40, "learning_rate": 2e-3}))
    assert np.mean(seen[-4:]) < 0.25 * seen[0]


def test_dispersion_on_top_spreads_the_tokens(tmp_path):
    data = rows(8)
    how = {"data": data, "args": {"steps": 12}, "weight": 5.0, "layers": "all", "subsample": None}
    trainers = {loss: run(tmp_path, loss=loss, **how) for loss in (None, "dispersion")}
    values = {}
    for loss, trainer in trainers.items():
        with torch.no_grad():
            states = trainer.model.eval()(**batch_of(data), output_hidden_states=True).hidden_states[1:]
        values[loss] = np.mean([losses.dispersion(h).item() for h in states])
    assert values["dispersion"] < values[None] - 0.05


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "logit"}, r"Unknown kind of distillation 'logit'\. Did you mean 'logits'\? Known: logits, hidden"),
        ({"share": -0.1}, r"share must lie between 0 and 1, got -0\.1"),
        ({"share": 1.1}, r"share must lie between 0 and 1, got 1\.1"),
        ({"share": float("nan")}, "share must lie between 0 and 1, got nan"),
        ({"distillation_temperature": 0.0}, r"distillation_temperature must be above 0, got 0\.0"),
        ({"distillation_temperature": float("inf")}, "distillation_temperature must be above 0, got inf"),
        ({"distillation_temperature": 2.0, "kind": "hidden"}, "Only distillation of 'logits' has a temperature"),
        (
            {"of": lambda: teacher(vocab_size=VOCABULARY + 1)},
            "teacher's vocabulary has 65 entries and the student's 64",
        ),
        ({"of": lambda: teacher().transformer}, "GPT2Model has no language-model head. Give a causal language model"),
        ({"of": lambda: torch.nn.Linear(2, 2)}, "Found no Transformer blocks in Linear"),
        ({"weight": 0.0, "loss": "dispersion"}, "weight must be above 0"),
    ],
)
def test_bad_input_is_refused_at_the_door(tmp_path, options, expected):
    of = options.pop("of", teacher)()
    make = unchecked(DistillationTrainer.__init__)
    with pytest.raises(ValueError, match=expected):
        make(
            DistillationTrainer.__new__(DistillationTrainer),
            model=model(),
            teacher=of,
            args=arguments(tmp_path),
            **options,
        )


def test_a_teacher_that_is_the_student_is_refused(tmp_path):
    net = model()
    with pytest.raises(ValueError, match=r"The teacher is the student itself, and would be frozen\. Give a copy"):
        DistillationTrainer(model=net, teacher=net, args=arguments(tmp_path))
    assert all(p.requires_grad for p in net.parameters())
