"""Running a model so that hooks can read it: without its head, a gradient or a cache, as it was written."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import signature

import torch

from .backbones import backbone, pretrained

_WITHOUT = {"use_cache": False, "logits_to_keep": 1}  # logits only where a sharded model runs with its head


@contextmanager
def forward_passes(model: torch.nn.Module) -> Iterator[Callable]:
    """A function that runs the model without its head, to be read by hooks: evaluation mode, no gradient, no cache.

    It takes the arguments of the model, and moves tensors to its device. Compiled code knows no hooks that came later,
    so all runs as it was written. A model that is sharded can only run as a whole.
    """
    base, sharded = backbone(model), _is_sharded(model)
    module, takes = (model, pretrained(model).forward) if sharded else (base, base.forward)
    how = {name: value for name, value in _WITHOUT.items() if name in signature(takes).parameters}
    device = device_of(base)
    eager = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
    # FSDP makes views of its weights, which inference mode forbids.
    with evaluating(model), eager, torch.no_grad() if sharded else torch.inference_mode():
        yield lambda **given: module(**{name: tensor.to(device) for name, tensor in given.items()}, **how)


def device_of(base: torch.nn.Module) -> torch.device:
    """Where the token ids go; what accelerate has offloaded is on the meta device until its hook brings it."""
    embeddings = base.get_input_embeddings()
    hook = getattr(embeddings, "_hf_hook", None) if embeddings.weight.is_meta else None
    return embeddings.weight.device if hook is None else torch.device(hook.execution_device)


def _is_sharded(model: torch.nn.Module) -> bool:
    """Whether parts of the weights are elsewhere, so that only the outermost module can run: FSDP, DeepSpeed's ZeRO."""
    kinds = {kind.__name__ for module in model.modules() for kind in type(module).__mro__}
    return bool(kinds & {"FSDPModule", "FullyShardedDataParallel", "DeepSpeedEngine"})


@contextmanager
def evaluating(model: torch.nn.Module):
    """Evaluation mode for a while; afterwards every submodule is back in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            if type(module).train is not torch.nn.Module.train:
                module.train(mode)  # it does more than to set the flag, such as to merge an adapter
        for module, mode in modes:
            module.training = mode
