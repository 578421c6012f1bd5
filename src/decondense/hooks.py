"""The residual stream of a Hugging Face model, reduced while the forward pass runs: no hidden state is kept.

Layer convention, the same as Hugging Face's `hidden_states`, L + 1 entries for L blocks:
entry 0 is the input of the first block (the embedding output), entry l < L the input of block l + 1 (the output of
block l), and entry L what the model returns as `last_hidden_state`: in GPT-2, Llama, Qwen, Bloom and their kin the
state AFTER the final norm, not the bare output of the last block. The paper measures these entries.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor, nn

T = TypeVar("T")
# Models that would be misread: their blocks are found, or run, in another way.
UNREADABLE = {
    "albert": "one block is called for every layer",
    "canine": "its blocks see groups of characters, not the characters that it is given",
    "reformer": "its blocks carry two streams, and the output joins them",
    "squeezebert": "its blocks are not called as modules",
    "xlnet": "its blocks take the tokens first and the texts second",
}
# These mix tokens without a look at the mask: padding would change what stands at the tokens of a text.
PADDING_BLIND = ("convbert", "fnet")


def backbone(model: nn.Module) -> nn.Module:
    """The model without its head, whose output has `last_hidden_state`; unwraps DDP and `torch.compile`.

    Of a multimodal model it is the language model.
    """
    for wrapper in ("module", "_orig_mod"):
        model = getattr(model, wrapper, model)
    base = getattr(model, "base_model", model)
    # Some releases of transformers name the backbone of some models (Gemma 3) so that `base_model` misses it.
    base = base.model if base is model and isinstance(getattr(model, "model", None), nn.Module) else base
    return getattr(base, "language_model", base)


def blocks(model: nn.Module) -> nn.ModuleList:
    """The Transformer blocks in order: the one `ModuleList` of the backbone with `num_hidden_layers` members.

    Raises
        ValueError: an encoder-decoder, a model of `UNREADABLE`, or one whose blocks cannot be found.
    """
    base = backbone(model)
    config = getattr(base, "config", None)
    # The encoder taken out of one has the same configuration, but no decoder.
    if getattr(config, "is_encoder_decoder", False) and hasattr(base, "decoder"):
        raise ValueError(f"{type(model).__name__} is an encoder-decoder; give its encoder (`model.get_encoder()`).")
    kind = getattr(config, "model_type", None)
    if kind in UNREADABLE:
        raise ValueError(
            f"{type(model).__name__} cannot be measured: {UNREADABLE[kind]}. The book's page on architectures has "
            "those that can."
        )
    depth = getattr(config, "num_hidden_layers", None)
    found = [m for m in base.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    # Per-layer lists inside a block (experts, heads) can have the same length; the blocks come first and outermost.
    if not found:
        raise ValueError(
            f"Found no list of {depth} Transformer blocks in {type(model).__name__}. "
            "Give a Hugging Face causal language model or encoder."
        )
    return found[0]


def n_entries(model: nn.Module) -> int:
    """L + 1, the number of entries of the residual stream."""
    return len(blocks(model)) + 1


@contextmanager
def residual_stream(model: nn.Module, reduce: Callable[[int, Tensor], T]) -> Iterator[dict[int, T]]:
    """Call `reduce(l, hidden)` on every entry l = 0..L of the residual stream in each forward pass inside the block.

    `hidden` has the shape (batch, tokens, features). What `reduce` returns is stored under l in the dictionary that
    the context gives, and replaced by the next forward pass; nothing else is kept, so memory does not grow with depth::

        with residual_stream(model, lambda l, h: h.norm(dim=-1).mean()) as norms:
            backbone(model)(input_ids)
        norms[0], ..., norms[L]

    Raises
        ValueError: as `blocks`; during the forward pass, a block with several streams.
    """
    results: dict[int, T] = {}

    def on_block(layer: int):
        def hook(_module, args, kwargs):
            hidden = args[0] if args else kwargs["hidden_states"]
            if hidden.ndim != 3:
                raise ValueError(
                    f"{type(model).__name__} cannot be measured: a block takes {tuple(hidden.shape)} where one vector "
                    "for each token is meant, (texts, tokens, features). Several streams cannot be read as one."
                )
            results[layer] = reduce(layer, hidden)

        return hook

    def on_output(_module, _args, output):
        # A backbone returns a ModelOutput, or a plain tuple when asked with return_dict=False.
        last = output[0] if isinstance(output, tuple) else output.last_hidden_state
        results[len(layers)] = reduce(len(layers), last)

    layers = blocks(model)
    handles = [b.register_forward_pre_hook(on_block(i), with_kwargs=True) for i, b in enumerate(layers)]
    handles.append(backbone(model).register_forward_hook(on_output))
    try:
        yield results
    finally:
        for handle in handles:
            handle.remove()
