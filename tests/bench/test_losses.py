"""The forms of the dispersion loss that are timed: the same numbers, the right products, whole records."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from decondense import losses
from decondense.base import timing
from decondense.bench import losses as bench
from decondense.losses import pairs
from decondense.trainers.step import step

pytestmark = pytest.mark.usefixtures("frozen")  # memory is tidied before each call that is measured

TINY = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": 40}
TOKENS = {"bos_token_id": 0, "eos_token_id": 0}


@pytest.fixture(autouse=True)
def _one_thread_as_before(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)  # imports the compiler
    monkeypatch.setattr(torch, "compile", lambda f, dynamic: f)  # a minute of compiling shows nothing here


def test_published_form_is_the_loss_and_its_gradient():
    z = bench.cone(50, 64, 0).double()  # wide, so that no cosine leaves the band
    value, gradient = bench.value_and_gradient(bench.as_published, z)
    exact, push = bench.value_and_gradient(losses.dispersion, z)
    assert value.item() == pytest.approx(exact.item(), rel=1e-12)
    torch.testing.assert_close(gradient, push, rtol=1e-9, atol=1e-12)


def test_forms_that_are_exact_agree_and_the_others_are_near():
    z = bench.cone(40, 16, 1)
    found = {name: bench.value_and_gradient(form, z)[0].item() for name, form in bench.forms().items()}
    assert list(found) == [bench.NAIVE, bench.COMPILED, bench.EXACT, bench.PART, bench.SECOND, bench.FIRST]
    for name in (bench.COMPILED, bench.EXACT, bench.PART):  # there are no more than 256 tokens
        assert found[name] == pytest.approx(found[bench.NAIVE], rel=1e-5)
    for name in (bench.SECOND, bench.FIRST):
        assert found[name] == pytest.approx(found[bench.NAIVE], rel=0.05)
        assert found[name] != found[bench.NAIVE]


@pytest.mark.parametrize("block", [4, 7, 100])
def test_products_are_those_of_all_cosines_and_gradients(block):
    x = bench.cone(23, 5, 2).double()
    torch.testing.assert_close(bench.products(x, block), (x @ x.mT) @ x)


def test_products_multiply_as_often_as_the_loss():
    x = bench.cone(2 * pairs.usual_block() + 10, 4, 0)
    counted = []
    for f in (bench.products, lambda z: bench.value_and_gradient(losses.dispersion, z)):
        with FlopCounterMode(display=False) as counter:
            f(x)
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 0


def test_cone_has_a_mean_cosine_near_a_third():
    u = torch.nn.functional.normalize(bench.cone(200, 300, 0)[0], dim=-1)
    assert (u @ u.T).mean().item() == pytest.approx(0.33, abs=0.05)


def test_record_has_a_cost_for_each_form():
    record = bench.by_form(30, 64, rounds=2).content
    results = record["results"]
    assert record["config"] == {"tokens": 30, "features": 64, "rounds": 2, "threads": 1, "seed": 0}
    table = timing.seconds(results["rows"])
    assert list(table) == [bench.PRODUCTS, *results["values"]]
    assert table.shape == (2, 7)
    assert table.gt(0).all().all()
    assert results["gradients"][bench.NAIVE] == 0
    assert results["gradients"][bench.EXACT] < 1e-5
    assert 1e-5 < results["gradients"][bench.FIRST] < 1


@pytest.mark.parametrize("busy", [0, 2])
def test_loaded_record_has_both_times_of_both_forms(monkeypatch, busy):
    started = []

    class Process:
        def __init__(self, command):
            started.append("started")

        def kill(self):
            started.append("killed")

        def wait(self):
            started.append("waited for")

    monkeypatch.setattr(bench.subprocess, "Popen", Process)
    record = bench.beside_other_work(30, 16, busy, rounds=2).content
    assert started == ["started"] * busy + ["killed", "waited for"] * busy
    assert record["config"]["busy"] == busy
    assert [list(row) for row in record["results"]["rows"]] == [[bench.NAIVE, bench.EXACT]] * 2
    assert all(cost[0] > 0 and cost[1] >= 0 for row in record["results"]["rows"] for cost in row.values())


def test_spent_counts_the_work_and_not_the_waiting():
    seconds, cores = bench.spent(lambda: bench.time.sleep(0.2))
    assert seconds >= 0.2
    assert cores < 0.2


def test_step_is_timed_plain_and_with_each_form():
    record = bench.in_a_step(TINY | TOKENS, 24, rounds=1).content
    names = list(bench.forms())
    assert list(timing.seconds(record["results"]["rows"])) == [
        bench.PLAIN, *names, *(name + bench.ALONE for name in names)
    ]  # fmt: skip


def test_step_changes_the_weights_and_the_loss_has_a_part_in_it():
    after = []
    for form in (None, losses.dispersion):
        model, ids = bench._gpt2(TINY | TOKENS, 24, 0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        before = model.transformer.h[0].mlp.c_fc.weight.detach().clone()
        step(model, ids, optimizer, form, 1.0)
        after.append(model.transformer.h[0].mlp.c_fc.weight.detach().clone())
        assert not torch.equal(before, after[-1])
        assert all(p.grad is None for p in model.parameters())
    assert not torch.equal(*after)
