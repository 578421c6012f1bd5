"""The residual stream of a Hugging Face model, reduced while the forward pass runs: no hidden state is kept.

Layer convention, the same as Hugging Face's `hidden_states`, L + 1 entries for L blocks:
entry 0 is the input of the first block (the embedding output), entry l < L the input of block l + 1 (the output of
block l), and entry L what the model returns as `last_hidden_state`: in GPT-2, Llama, Qwen, Bloom and their kin the
state AFTER the final norm, not the bare output of the last block. The paper measures these entries. A model that is
told otherwise (`config.tie_last_hidden_states = False`) ends, as its `hidden_states` do, with the last block's output.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import getclosurevars, signature
from typing import NamedTuple, TypeVar

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
# These mix tokens without a look at the mask: padding would change the states at the tokens of a text.
PADDING_BLIND = ("convbert", "fnet")


# --- which module it is ----------------------------------------------------------------------------------------------


def pretrained(model: nn.Module) -> nn.Module:
    """The Hugging Face model inside any wrapper: the one outermost `PreTrainedModel`, or `model` if there is none.

    Wrappers are PEFT's models (the active adapter takes part), DDP, FSDP, `torch.compile`, DeepSpeed's engine,
    LightningModules, and any `nn.Module` around a model.

    Raises
        ValueError: the wrapper holds several models.
    """
    found = dict.fromkeys(_outermost(model))  # each once, however many names it has
    if len(found) > 1:
        names = [name for name, module in model.named_modules() if module in found]
        raise ValueError(f"{type(model).__name__} holds {len(found)} models ({', '.join(names)}): give one of them.")
    return next(iter(found), model)


def _outermost(module: nn.Module) -> Iterator[nn.Module]:
    if _kind(module):
        yield module
    else:
        for child in module.children():
            yield from _outermost(child)


def backbone(model: nn.Module) -> nn.Module:
    """The model without its head, whose output has `last_hidden_state`, out of any wrapper (`pretrained`).

    Of a multimodal model it is the language model.
    """
    model = pretrained(model)
    base = getattr(model, "base_model", model)
    # Some releases of transformers name the backbone of some models (Gemma 3) so that `base_model` misses it.
    base = base.model if base is model and isinstance(getattr(model, "model", None), nn.Module) else base
    base = getattr(base, "language_model", base)
    if _is_whole_encoder_decoder(base):
        return base
    # OPT with its head calls the decoder in its model, and not the model; T5's encoder model is a shell, too.
    inner = (getattr(base, part, None) for part in ("decoder", "encoder"))
    return next((module for module in inner if _kind(module) and _kind(module) == _kind(base)), base)


def _is_whole_encoder_decoder(base: nn.Module) -> bool:
    # The encoder taken out of one has the same configuration, but no decoder.
    return getattr(getattr(base, "config", None), "is_encoder_decoder", False) and hasattr(base, "decoder")


def _kind(module: object) -> str | None:
    """The `model_type` of a Hugging Face model, `None` for any other module."""
    from transformers import PreTrainedModel  # late: it takes a second

    return module.config.model_type if isinstance(module, PreTrainedModel) else None


def blocks(model: nn.Module) -> nn.ModuleList:
    """The Transformer blocks in order: the one `ModuleList` of the backbone with `num_hidden_layers` members.

    Raises
        ValueError: an encoder-decoder, a model of `UNREADABLE`, or one whose blocks cannot be found.
    """
    base = backbone(model)
    config = getattr(base, "config", None)
    if _is_whole_encoder_decoder(base):
        raise ValueError(f"{type(model).__name__} is an encoder-decoder; give its encoder (`model.get_encoder()`).")
    kind = getattr(config, "model_type", None)
    if kind in UNREADABLE:
        raise ValueError(
            f"{type(model).__name__} cannot be measured: {UNREADABLE[kind]}. The book's page on architectures has "
            "those that can."
        )
    depth = getattr(config, "num_hidden_layers", None)
    # Per-layer lists inside a block (experts, heads) can have the same length; the blocks come first and outermost.
    found = next((m for m in _own(base, kind) if isinstance(m, nn.ModuleList) and len(m) == depth), None)
    if found is None:
        raise ValueError(
            f"Found no list of {depth} Transformer blocks in {type(model).__name__}. "
            "Give a Hugging Face causal language model or encoder."
        )
    return found


def _own(module: nn.Module, kind: str | None) -> Iterator[nn.Module]:
    """The modules of a model, but for those of another model inside it, such as an image encoder of the same depth."""
    yield module
    for child in module.children():
        if _kind(child) in (None, kind):
            yield from _own(child, kind)


def n_entries(model: nn.Module) -> int:
    """L + 1, the number of entries of the residual stream."""
    return len(blocks(model)) + 1


# --- reading it ------------------------------------------------------------------------------------------------------


class Pass(NamedTuple):
    """One forward pass: the hidden states at the entries that were asked for, and what the backbone was called with."""

    entries: dict[int, Tensor]
    given: dict[str, object]


@contextmanager
def residual_stream(
    model: nn.Module, reduce: Callable[[int, Tensor], T] = lambda _, hidden: hidden
) -> Iterator[dict[int, T]]:
    """Call `reduce(l, hidden)` on every entry l = 0..L of the residual stream in each forward pass inside the block.

    `hidden` has the shape (batch, tokens, features). What `reduce` returns, the state itself if nothing is given, is
    stored under l in the dictionary that the context gives, and replaced by the next forward pass; nothing else is
    kept, so memory does not grow with depth::

        with residual_stream(model, lambda l, h: h.norm(dim=-1).mean()) as norms:
            backbone(model)(input_ids)
        norms[0], ..., norms[L]

    In training keep the states and take the loss after the pass: what is computed inside a pass can lie inside a
    checkpointed block, from where some releases of transformers let no gradient out.

    Raises
        ValueError: as `blocks`; during the forward pass, a block with several streams, a state without values (the
            meta device), a step of generation, which has one token of a text.
        RuntimeError: a pass that did not go through every block; at the end, that no pass came by.
    """
    results: dict[int, T] = {}

    def see(entry: int, hidden: Tensor) -> None:
        results[entry] = reduce(entry, hidden)

    with _listening(model, see):
        yield results


@contextmanager
def trained_passes(model: nn.Module, chosen: Sequence[int]) -> Iterator[list[Pass]]:
    """The forward passes inside the block that have a gradient, in order, with the states at the entries `chosen`.

    A trainer may make others (a reference model's, metrics), under `no_grad`: they are let go at once.

    Raises
        ValueError, RuntimeError: as `residual_stream`; that no pass had a gradient is for the caller to refuse.
    """
    passes: list[Pass] = []
    current: dict[int, Tensor] = {}

    def see(entry: int, hidden: Tensor) -> None:
        if entry in chosen:
            current[entry] = hidden

    def end(given: dict[str, object]) -> None:
        if any(hidden.requires_grad for hidden in current.values()):
            passes.append(Pass(dict(current), given))
        current.clear()

    with _listening(model, see, end):
        yield passes


@contextmanager
def _listening(
    model: nn.Module, see: Callable[[int, Tensor], None], end: Callable[[dict], None] = lambda _: None
) -> Iterator[None]:
    """Hooks for a while: `see(l, hidden)` at every entry of a pass, `end(what the backbone was given)` behind it."""
    layers, base, name = blocks(model), backbone(model), type(pretrained(model)).__name__
    _refuse_meta(base, name)
    parameters = list(signature(base.forward).parameters)
    virtual = virtual_tokens(model)
    given: dict[str, object] = {}
    arrived: list[int] = []  # of the pass that runs now; blocks that are run outside of one are not seen
    passes: list[int] = []

    def on_begin(_module, args, kwargs):
        given.clear()
        given.update(zip(parameters, args, strict=False))
        given.update(kwargs)
        _refuse_step(given, virtual)
        arrived.clear()
        arrived.append(-1)

    def on_block(entry: int):
        def hook(_module, args, kwargs):
            if arrived:
                hidden = args[0] if args else kwargs["hidden_states"]
                _check(hidden, name)
                arrived.append(entry)
                see(entry, hidden)

        return hook

    def on_last_block(_module, _args, output):
        if arrived:
            see(len(layers), output[0] if isinstance(output, tuple) else output)

    def on_end(_module, _args, output):
        if arrived != list(range(-1, len(layers))):
            raise RuntimeError(_incomplete(name, arrived[1:], len(layers)))
        if not bare:
            # A backbone returns a ModelOutput, or a plain tuple when asked with return_dict=False.
            see(len(layers), output[0] if isinstance(output, tuple) else output.last_hidden_state)
        arrived.clear()
        passes.append(1)
        end(dict(given))

    bare = _ends_with_last_block(base)
    handles = [b.register_forward_pre_hook(on_block(i), with_kwargs=True) for i, b in enumerate(layers)]
    handles.append(base.register_forward_pre_hook(on_begin, with_kwargs=True))
    handles += [layers[-1].register_forward_hook(on_last_block)] if bare else []
    handles.append(base.register_forward_hook(on_end))
    try:
        yield
        if not passes:
            raise RuntimeError(_nothing(name))
    finally:
        for handle in handles:
            handle.remove()


def virtual_tokens(model: nn.Module) -> int:
    """How many tokens PEFT's prompt learning puts before each text; 0 for any other model."""
    configs = [module.active_peft_config for module in model.modules() if hasattr(module, "active_peft_config")]
    return sum(config.num_virtual_tokens for config in configs if config.is_prompt_learning)


def _ends_with_last_block(base: nn.Module) -> bool:
    """Whether `hidden_states` end before the final norm: where Transformers captures them from outside of `forward`,
    the configuration decides (if this release asks it), else the decorator; a model that gathers them itself asks
    neither.
    """
    name, forward = "tie_last_hidden_states", type(base).forward
    while hasattr(forward, "__wrapped__"):
        if (tied := getclosurevars(forward).nonlocals.get(name)) is not None:
            said = getattr(base.config, name, None) if name in forward.__code__.co_consts else None
            return not (tied if said is None else said)
        forward = forward.__wrapped__
    return False


def _check(hidden: Tensor, name: str) -> None:
    if hidden.ndim != 3:
        raise ValueError(
            f"{name} cannot be measured: a block takes {tuple(hidden.shape)} where one vector for each token is meant, "
            "(texts, tokens, features). Several streams cannot be read as one."
        )


def _refuse_meta(base: nn.Module, name: str) -> None:
    offloaded = any(hasattr(module, "_hf_hook") for module in base.modules())  # accelerate brings what is needed
    if next(base.parameters()).is_meta and not offloaded:
        raise ValueError(f"{name} is on the meta device, where nothing has values. Load its weights first.")


def _refuse_step(given: Mapping[str, object], virtual: int) -> None:
    """`virtual`: a prefix of PEFT's prompt learning, which is in the cache before the first token of the text."""
    held = (given.get(name) for name in ("past_key_values", "cache_params", "state"))
    if _cached(next((cache for cache in held if cache is not None), None)) > virtual:
        raise ValueError(
            "A step of generation inside the context: it has the new tokens alone, and not the text. Generate first, "
            "then give the whole sequence to the model."
        )


def _cached(cache: object) -> int:
    """How many tokens a cache holds; of a state space model, whose state holds no tokens, 1 if it was written to."""
    if isinstance(cache, list):  # RWKV's state
        return 1
    try:
        return cache.get_seq_length() if hasattr(cache, "get_seq_length") else 0
    except ValueError:  # none of its layers has attention
        return int(cache.has_previous_state())


def _incomplete(name: str, arrived: Sequence[int], depth: int) -> str:
    return (
        f"A forward pass of {name} went through the blocks {list(arrived)}, and not once through each of 0 to "
        f"{depth - 1} in turn: blocks are left out (LayerDrop, cross-attention without an image), or were compiled "
        "before the hooks came (then call torch.compiler.reset() before the context)."
    )


def _nothing(name: str) -> str:
    return (
        f"No forward pass of {name} was seen inside the context: none was made, another copy of the model ran, or "
        "what torch.compile had made before knows no hooks (then call torch.compiler.reset() before the context)."
    )
