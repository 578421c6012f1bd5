"""The item `speed`: what each form of the loss costs in a training step in bf16, and a measurement beyond its pass."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from .. import losses, measurement, records
from ..base import machine, timing
from ..models import memory
from ..runs.grid import matrix_rate
from ..trainers.step import step
from . import plan

PLAIN, EXACT, PART, SECOND, FIRST = "plain", "exact", "256 tokens", "order 2", "order 1"
FORMS: dict[str, Callable[[Tensor], Tensor] | None] = {
    PLAIN: None,
    PART: partial(losses.dispersion, subsample=256),
    EXACT: losses.dispersion,
    SECOND: partial(losses.dispersion, order=2),
    FIRST: partial(losses.dispersion, order=1),
}
WEIGHT = 0.1
ROUNDS = (3, 20)  # at least and at most
MATRIX = 8192  # rows of the square matrices that give the rate of the device; 1024 on a CPU
NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "loss_type": "ForCausalLM"}
NO_DROPOUT |= {"activation_function": "gelu_pytorch_tanh"}
FORWARD, MEAN, POOLED = "forward pass", "mean cosine", "with histogram"


class Cost(NamedTuple):
    """Seconds of one call, and its largest memory on the GPU (bytes), what was there before included."""

    seconds: float
    bytes: int | None


def cost(case: Callable[[], object]) -> Cost:
    """Of one call, to the end of what it started on the GPU."""
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    case()
    if cuda:
        torch.cuda.synchronize()
    return Cost(time.perf_counter() - start, torch.cuda.max_memory_allocated() if cuda else None)


def make(entry: Mapping, tiny: bool, seconds: float, say: Callable[[str], None]) -> bool:
    """Record each part, in equal shares of the time that is left; what has a record is shown. Always all is done.

    Raises
        MemoryError: a training step does not fit, by an estimate.
    """
    end = time.monotonic() + seconds
    parts = {f"step of {name}": partial(_steps, entry, name) for name in entry["steps"]}
    parts["measurement"] = partial(_measurement, entry)
    for number, (part, made) in enumerate(parts.items()):
        config = {"part": part, "tiny": tiny, "seed": 0, **_settings(entry, part)}
        share = (end - time.monotonic()) / (len(parts) - number)
        record = records.run("campaign-speed", config, lambda: (made(share), None), __name__, surroundings=here())  # noqa: B023
        say(f"speed, {part}, on {here()['device']}:\n{table(record.content).round(4).to_string()}")
    return True


def _settings(entry: Mapping, part: str) -> dict:
    names = ("measured", "texts", "text_length") if part == "measurement" else ("batch", "length")
    shape = {} if part == "measurement" else {"shape": entry["steps"][part.removeprefix("step of ")]}
    return {name: entry[name] for name in names} | shape


def here() -> dict:
    """What the time of a step depends on beside its settings: the card, and torch."""
    return {"device": machine.gpu() or "cpu", "torch": torch.__version__}


def rounds_in(seconds: float, a_round: float) -> int:
    """How many rounds fit into the time, within `ROUNDS`."""
    least, most = ROUNDS
    return int(min(max(seconds / a_round, least), most))


def _timed(cases: Mapping[str, Callable[[], object]], seconds: float) -> list[dict]:
    """A round to warm up, one that tells how long a round is, then as many as fit; the second counts with them."""
    start = time.perf_counter()
    first = timing.interleaved(cases, 1, cost)
    return first + timing.interleaved(cases, rounds_in(seconds, time.perf_counter() - start) - 1, cost, warm=0)


# --- training steps ---------------------------------------------------------------------------------------------------


def _steps(entry: Mapping, name: str, seconds: float) -> dict:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_positions=entry["length"], **NO_DROPOUT | entry["steps"][name])
    tokens = entry["batch"] * entry["length"]
    bytes_needed = plan.needed(memory.count(config), tokens, config.n_layer, config.n_embd, config.vocab_size)
    plan.refuse_too_large(f"speed, {name},", bytes_needed)
    device, rate = machine.device(), matrix_rate(MATRIX if torch.cuda.is_available() else 1024)
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config).to(device).train()
    ids = torch.randint(config.vocab_size, (entry["batch"], entry["length"]), device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    rows = _timed(
        {form: partial(step, model, ids, optimizer, loss, WEIGHT, half=True) for form, loss in FORMS.items()}, seconds
    )
    parameters = sum(p.numel() for p in model.transformer.h.parameters()) + model.lm_head.weight.numel()
    return {"rows": rows, "matrix_rate": rate, "operations": operations(parameters, config, ids.shape)}


def operations(parameters: int, config, shape: tuple[int, int]) -> float:
    """Floating-point operations of a step: 6 a token and weight in a matrix product, and 12 a token, block, feature
    and position attended to (half of the positions, since attention is causal).
    """
    batch, length = shape
    return batch * length * (6.0 * parameters + 6.0 * config.n_layer * config.n_embd * length)


# --- measurement ------------------------------------------------------------------------------------------------------


def _measurement(entry: Mapping, seconds: float) -> dict:
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    config = GPT2Config(n_positions=entry["text_length"], **NO_DROPOUT | entry["measured"])
    model = GPT2Model(config).to(machine.device(), torch.bfloat16).eval()
    ids = torch.randint(config.vocab_size, (entry["texts"], entry["text_length"])).tolist()
    how = {"max_length": entry["text_length"], "progress": False}
    cases = {
        FORWARD: partial(_forward, model, ids),
        MEAN: partial(measurement.measure, model, None, ids, histogram=None, **how),
        POOLED: partial(measurement.measure, model, None, ids, **how),
    }
    return {"rows": _timed(cases, seconds)}


@torch.inference_mode()
def _forward(model, texts: list[list[int]]) -> None:
    for ids in texts:
        model(input_ids=torch.tensor([ids], device=model.device))


# --- reading ----------------------------------------------------------------------------------------------------------


def table(record: Mapping) -> pd.DataFrame:
    """A row a case: median seconds; share beyond the first case (median over the rounds); peak memory in GiB (NaN on
    a CPU); and for training steps the model flop utilisation, of the measured bf16 matrix rate.
    """
    results = record["results"]
    seconds, peaks = timing.seconds(results["rows"]), timing.mebibytes(results["rows"]) / 1024
    first = seconds.columns[0]
    beyond = (seconds.div(seconds[first], axis=0) - 1).median()
    found = pd.DataFrame({"seconds": seconds.median(), f"beyond {first}": beyond, "GiB": peaks})
    if "operations" in results:
        found["utilisation"] = results["operations"] / (found.seconds * results["matrix_rate"])
    return found
