"""Folders with a PEFT adapter: its base model by name, and the adapter put on it."""

import warnings
from pathlib import Path

import torch

from ..base.extras import need
from .catalogue import base_of_adapter, configuration

WEIGHTS = "adapter_model.safetensors"


def put_on(model: torch.nn.Module, folder: Path) -> tuple[torch.nn.Module, dict]:
    """The model with the adapter of a folder, not merged; and what a record says of it.

    Raises
        ValueError: the adapter's weights are a pickle or missing, or they do not fit the model.
        ImportError: the extra `peft` is missing.
    """
    peft = need("peft", extra="peft")
    file, base = folder / WEIGHTS, base_of_adapter(folder)
    if not file.is_file():
        raise ValueError(f"{folder} has no {WEIGHTS}; only safetensors are loaded. Save it with model.save_pretrained.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what does not fit is an error below
            adapted = peft.PeftModel.from_pretrained(model, str(folder), use_safetensors=True)
            expected = set(peft.get_peft_model_state_dict(adapted))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise ValueError(_other(folder, base, why)) from error
    if lost := sorted(expected ^ _names(file)):
        raise ValueError(_other(folder, base, f"{len(lost)} weights have no partner, {lost[0]} the first"))
    return adapted, {"base": base, "adapter": configuration(folder, "adapter_config.json").get("peft_type")}


def _names(file: Path) -> set[str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as weights:
        return set(weights.keys())


def _other(folder: Path, base: str, why: str) -> str:
    return f"The adapter in {folder} is not one of {base} ({why}). Give the model that it was trained on as its base."
