"""A model at initialisation of which only one block exists at a time: drawn when it is reached, freed when it is left.

The backbone is built on the meta device, where tensors have a shape and no memory. Hooks on each block give it weights
just before its forward pass and take them back after it. So a forward pass needs the memory of one block, and the
model of 7 billion parameters fits where one of 1 billion does. A second pass draws the same weights again.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from .. import hooks

Fill = Callable[[nn.Module, str], None]  # gives a module, whose tensors are empty, its values; second its name


def streamed(
    config, seed: int = 0, *, dtype: torch.dtype = torch.float32, device: str = "cpu", fill: Fill | None = None
) -> nn.Module:
    """The backbone of a Hugging Face configuration in evaluation mode, for `measure` or any forward pass without cache.

    Weights have the distribution of `AutoModel.from_config(config, dtype=dtype)`: they are drawn by the model's own
    initialiser, with a seed for each block, on the CPU (so that every device gets the same), and moved to `device`.
    They are not those that `from_config` draws with the same seed: that one takes them from one stream.

    config
        The embedding has `config.vocab_size` rows and exists as a whole; `with_vocabulary` leaves out unread rows.
    fill
        Gives the values in place of the draw.

    Raises
        ValueError: an architecture whose blocks cannot be found (`hooks.blocks`).
    """
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(config, dtype=dtype).eval().requires_grad_(False)
    layers = hooks.blocks(model)
    arrive = _arrival(model, fill or _initialiser(model, seed), device)
    for child in model.children():  # embeddings, final norm, rotary frequencies: small, they stay
        if child is not layers:
            arrive(child)
    for block in layers:
        block.register_forward_pre_hook(arrive)
        block.register_forward_hook(lambda module, *_: module.to("meta") and None)
    return model


def _arrival(model: nn.Module, fill: Fill, device: str) -> Callable:
    """The hook that gives a module its memory and its values; a block takes over the memory of the one before."""
    names, layers = {module: name for name, module in model.named_modules()}, set(hooks.blocks(model))
    spare: dict[str, torch.Tensor] = {}  # kept, since memory that is freed in pieces of many sizes comes back in holes
    shapes = lambda tensors: {name: tensor.shape for name, tensor in tensors.items()}

    @torch.inference_mode(False)  # what is made in inference mode could not be filled again outside of it
    @torch.no_grad()
    def arrive(module: nn.Module, *_) -> None:
        module.to_empty(device="cpu")
        if shapes(spare) == shapes(module.state_dict()):
            module.load_state_dict(spare, assign=True)
        fill(module, names[module])
        if module in layers:
            spare.clear()
            spare.update(module.state_dict())
        module.to(device)

    return arrive


def _initialiser(model, seed: int) -> Fill:
    """The model's own initialiser, children before parents as `initialize_weights` goes, seeded block by block."""
    layers = {block: number for number, block in enumerate(hooks.blocks(model))}
    outside = [child for child in model.children() if child is not hooks.blocks(model)]

    def fill(module: nn.Module, _name: str) -> None:
        place = [0, layers[module]] if module in layers else [1, outside.index(module)]
        # A SeedSequence: neighbouring seeds and blocks get unrelated streams.
        own = int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0] >> 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own)
            module.apply(model._init_weights)

    return fill


def with_vocabulary(config, texts: list[list[int]]) -> tuple[object, list[list[int]]]:
    """A copy of `config` whose embedding has only the rows that the texts read, and the texts with renumbered ids.

    Rows of a random embedding are independent and alike, so leaving some out changes nothing but memory. No id is
    special in the copy: none is padding, whose row would be zero.
    """
    used, flat = np.unique(np.concatenate(texts), return_inverse=True)
    parts = np.split(flat, np.cumsum([len(ids) for ids in texts])[:-1])
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    smaller = type(config)(**config.to_dict() | none | {"vocab_size": len(used)})
    return smaller, [part.tolist() for part in parts]
