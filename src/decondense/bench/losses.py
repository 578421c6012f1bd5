"""What the dispersion loss costs: by form, by tokens and features, beside other work, and within a training step."""

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from .. import losses, records
from ..base import timing
from ..losses import pairs
from ..trainers.step import step

PRODUCTS, NAIVE, COMPILED, EXACT, FIRST = "matrix products", "as published", "compiled", "exact", "order 1"
PART, SECOND = "256 tokens", "order 2"
PLAIN, ALONE = "plain", ", alone"  # a training step without the loss; a loss without the training step


def as_published(z: Float[Tensor, "batch tokens features"]) -> Float[Tensor, ""]:
    """The dispersion loss by its formula: the N x N matrices of cosines, distances and exponentials, and autograd.

    The value is that of `losses.dispersion`, and so is the gradient where no cosine leaves the band of the clamp.

    Source: Table 1 of the paper, with the mean, clamp and eps of its released code.
    """
    u = z / (torch.linalg.vector_norm(z, dim=-1, keepdim=True) + losses.EPS)
    cosines = (u @ u.mT).clamp(losses.CLAMP - 1, 1 - losses.CLAMP)
    terms = torch.exp(-torch.arccos(cosines) / math.pi)
    n = z.shape[1]
    off_diagonal = 1 - torch.eye(n, dtype=z.dtype, device=z.device)
    return ((terms * off_diagonal).sum((1, 2)) / (n * (n - 1))).log().mean()


def forms() -> dict[str, Callable[[Tensor], Tensor]]:
    """The dispersion loss in each of its forms, by name."""
    torch.compiler.reset()  # it keeps a few shapes only, and would take the uncompiled function for the next one
    return {
        NAIVE: as_published,
        COMPILED: torch.compile(as_published, dynamic=False),
        EXACT: losses.dispersion,
        PART: partial(losses.dispersion, subsample=256),
        SECOND: partial(losses.dispersion, order=2),
        FIRST: partial(losses.dispersion, order=1),
    }


def products(x: Float[Tensor, "batch tokens features"], block: int | None = None) -> Tensor:
    """The matrix products of `exact` and nothing else: 3/2 N^2 d multiplications for all cosines and all gradients."""
    found, block = torch.zeros_like(x), block or pairs.usual_block()
    for a in range(0, x.shape[1], block):
        rows = slice(a, a + block)
        for b in range(a, x.shape[1], block):
            columns = slice(b, b + block)
            inner = x[:, rows] @ x[:, columns].mT
            found[:, rows].baddbmm_(inner, x[:, columns])
            if a != b:
                found[:, columns].baddbmm_(inner.mT, x[:, rows])
    return found


def cone(tokens: int, features: int, seed: int) -> Float[Tensor, "1 tokens features"]:
    """Random tokens around one direction with a mean cosine near 1/3, as real layers have."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(1, tokens, features, generator=generator)
    return z + 0.7 * torch.randn(features, generator=generator)


def value_and_gradient(form: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    value = form(z)
    value.backward()
    return value.detach(), z.grad


def by_form(tokens: int, features: int, *, rounds: int = 7, threads: int = 1, seed: int = 0) -> records.Record:
    """Record the cost of value and gradient of each form, and of the matrix products alone, on one sequence.

    The results hold `rows`, one a round, of `timing.Cost` by form; and for each form `values`, and `gradients`: the
    norm of the difference of its gradient from that of `as_published`, divided by the norm of the latter.
    """
    config = {"tokens": tokens, "features": features, "rounds": rounds, "threads": threads, "seed": seed}

    def compute() -> tuple[dict, None]:
        torch.set_num_threads(threads)
        z, losses_ = cone(tokens, features, seed), forms()
        cases = {PRODUCTS: partial(products, z)}
        cases |= {name: partial(value_and_gradient, form, z) for name, form in losses_.items()}
        rows = timing.interleaved(cases, rounds)
        found = {name: value_and_gradient(form, z) for name, form in losses_.items()}
        reference = found[NAIVE][1]
        away = {name: float((g - reference).norm() / reference.norm()) for name, (_, g) in found.items()}
        return {"rows": rows, "values": {n: v.item() for n, (v, _) in found.items()}, "gradients": away}, None

    return records.run("bench-loss", config, compute, __name__, surroundings={"torch": torch.__version__})


def beside_other_work(
    tokens: int, features: int, busy: int, *, rounds: int = 9, threads: int = 1, seed: int = 0
) -> records.Record:
    """Record what value and gradient of `NAIVE` and of `EXACT` cost while `busy` other processes want a core each.

    `rows`, one a round: seconds, and seconds of all cores together, by form. With several threads each operation
    waits for the last of them, so a form of many small operations loses most where the cores are shared.
    """
    config = {
        "tokens": tokens, "features": features, "busy": busy, "rounds": rounds, "threads": threads, "seed": seed
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        torch.set_num_threads(threads)
        z = cone(tokens, features, seed)
        two = {NAIVE: as_published, EXACT: losses.dispersion}
        cases = {name: partial(value_and_gradient, form, z) for name, form in two.items()}
        with _other_work(busy):
            return {"rows": timing.interleaved(cases, rounds, spent)}, None

    return records.run("bench-loaded", config, compute, __name__, surroundings={"torch": torch.__version__})


def spent(case: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call, and those that all cores together gave to it."""
    start, cores = time.perf_counter(), time.process_time()
    case()
    return time.perf_counter() - start, time.process_time() - cores


@contextmanager
def _other_work(processes: int) -> Iterator[None]:
    loop = (
        "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with this process at the latest
    )
    started = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def in_a_step(
    shape: dict, tokens: int, *, rounds: int = 7, threads: int = 1, weight: float = 0.1, seed: int = 0
) -> records.Record:
    """Record the cost of a training step of GPT-2 with random weights: plain, and with each form on all L layers.

    shape
        Arguments of `transformers.GPT2Config`; what is not given is that of GPT-2 small.

    A step is a forward and backward pass over one sequence, clipping, and AdamW. The loss is averaged over the entries
    1..L of the residual stream. `rows` as in `by_form`; `PLAIN` is the step without such a loss. A form's name
    followed by `ALONE` is the loss with its gradient on states of that size, without the rest of the step.
    """
    config = {
        "shape": shape, "tokens": tokens, "rounds": rounds, "threads": threads, "weight": weight, "seed": seed
    }  # fmt: skip

    def compute() -> tuple[dict, None]:
        torch.set_num_threads(threads)
        model, ids = _gpt2(shape, tokens, seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
        losses_ = forms()
        cases = {PLAIN: partial(step, model, ids, optimizer, None, weight)}
        cases |= {name: partial(step, model, ids, optimizer, form, weight) for name, form in losses_.items()}
        states = [cone(tokens, model.config.n_embd, seed + layer) for layer in range(model.config.n_layer)]
        cases |= {name + ALONE: partial(_on_all, form, states) for name, form in losses_.items()}
        return {"rows": timing.interleaved(cases, rounds)}, None

    return records.run("bench-step", config, compute, __name__, surroundings={"torch": torch.__version__})


def _gpt2(shape: dict, tokens: int, seed: int):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    plain = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "loss_type": "ForCausalLM"}
    model = GPT2LMHeadModel(GPT2Config(**plain | shape)).train()
    return model, torch.randint(model.config.vocab_size, (1, tokens))


def _on_all(form: Callable[[Tensor], Tensor], states: list[Tensor]) -> None:
    for state in states:
        value_and_gradient(form, state)
