"""What a model takes in memory, estimated before anything of its size is made; what does not fit is refused."""

from collections.abc import Mapping
from pathlib import Path

import psutil
import torch

from ..base.machine import GIB
from .catalogue import configuration

DEPTH = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")  # one quantity, as families name it
WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
VOCABULARY = ("vocab_size",)
A_BLOCK = 20_000  # bytes of Python objects, at least, that a block takes beside its weights


def refuse_if_too_large(name: str, parameters: int, dtype: torch.dtype, device: str = "cpu") -> None:
    """Raise a MemoryError with the estimate when `parameters` numbers of `dtype` plus a fifth exceed free memory.

    The memory of the GPU for a CUDA device, else that of the machine.
    """
    needed = 1.2 * parameters * dtype.itemsize
    on_gpu = device.startswith("cuda")
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"{name} has {parameters / 1e9:.2f} billion parameters and needs about {needed / GIB:.1f} GiB in {dtype}; "
            f"{free / GIB:.1f} GiB are free on {device}. Take a smaller model, a larger machine, or dtype='bfloat16' "
            "(--dtype bfloat16)."
        )


def refuse_what_cannot_be_built(where: str, config: Mapping) -> None:
    """Refuse a configuration by arithmetic, before any list or module of its size is made.

    A bound from below, L (A + h^2) + V h numbers and bytes for L blocks of width h, A bytes of Python objects a block
    and V entries of the vocabulary: of transformers' architectures none is built with less, even without weights.

    Raises
        ValueError: a size that is no whole number, or negative.
        MemoryError: more than the memory that is free.
    """
    for part in (config, *(value for name, value in config.items() if name.endswith("_config"))):
        if not isinstance(part, Mapping):
            continue
        depth, width, vocabulary = (_size(where, part, names) for names in (DEPTH, WIDTH, VOCABULARY))
        needed, free = depth * (A_BLOCK + width**2) + vocabulary * width, psutil.virtual_memory().available
        if needed > free:
            raise MemoryError(
                f"The configuration of {where} asks for {depth:,} blocks of width {width:,} and a vocabulary of "
                f"{vocabulary:,}, more than the {free / GIB:.1f} GiB of memory that are free. Take a smaller model, a "
                "larger machine, or see whether its config.json is damaged."
            )


def _size(where: str, config: Mapping, names: tuple[str, ...]) -> int:
    """The one of `names` that the configuration has; 0 where it has none of them, or a list of one a block."""
    for name in names:
        value = config.get(name)
        if isinstance(value, bool | str | float) or (isinstance(value, int) and value < 0):
            raise ValueError(f"The config.json of {where} has {name}: {value!r}, no size. Copy it there again.")
        if isinstance(value, int):
            return value
    return 0


def parameters(folder: str) -> int:
    """How many parameters the causal language model of a local folder has, counted without making it.

    Raises
        ValueError, MemoryError: as `refuse_what_cannot_be_built`; no model of Transformers.
    """
    from transformers import AutoConfig

    refuse_what_cannot_be_built(folder, configuration(Path(folder)))
    return count(AutoConfig.from_pretrained(folder))


def count(config, kind=None, **how) -> int:
    """The parameters of a model with this configuration of Transformers, made without memory for its weights."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return (kind or AutoModelForCausalLM).from_config(config, **how).num_parameters()
