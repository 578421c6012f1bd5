"""What this machine computes with: its device, its cores, and the processes that work together."""

import os
from textwrap import shorten

GIB = 2**30  # bytes


def device(asked: str | None = None) -> str:
    """The device that is asked for, made sure of; without one, `cuda` where there is a GPU, else `cpu`.

    Raises
        ValueError: the device is not there.
    """
    import torch  # late: help and doctor count cores without it

    if asked is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=asked)
    except (RuntimeError, AssertionError) as error:
        why = shorten(str(error).splitlines()[0].split(". ")[0], 160)  # some name every backend that torch has
        raise ValueError(f"Device {asked!r} is not there ({why}). Use device='cpu' (--device cpu).") from error
    return asked


def gpu() -> str | None:
    """The name of the GPU, `None` where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes():
    """The processes that train together (`accelerate launch`), and which of them this is: accelerate's state."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
