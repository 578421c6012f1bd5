"""Which part of a model is which: the Hugging Face model in a wrapper, its backbone, its blocks."""

from collections.abc import Iterator
from inspect import getclosurevars

from torch import nn

# Models that would be misread: their blocks are found, or run, in another way.
UNREADABLE = {
    "albert": "one block is called for every layer",
    "canine": "its blocks see groups of characters, not the characters that it is given",
    "reformer": "its blocks carry two streams, and the output joins them",
    "squeezebert": "its blocks are not called as modules",
    "xlnet": "its blocks take the tokens first and the texts second",
}
# Wrappers whose own forward changes nothing of what the model inside does, or that the model inside carries itself.
TRANSPARENT = {"PeftModel", "DistributedDataParallel", "FullyShardedDataParallel", "OptimizedModule"}
TRANSPARENT |= {"DataParallel", "DeepSpeedEngine", "LightningModule"}
# These mix tokens without a look at the mask: padding would change the states at the tokens of a text.
PADDING_BLIND = ("convbert", "fnet")
# These lengthen a row on the right to a multiple of their window; what they add is cut off again.
PADS_RIGHT = ("longformer",)


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


def is_opaque(model: nn.Module) -> bool:
    """Whether the model is inside a module that may do more than to call it, as far as its class tells."""
    names = {kind.__name__ for kind in type(model).__mro__}
    return pretrained(model) is not model and not names & TRANSPARENT


def _outermost(module: nn.Module) -> Iterator[nn.Module]:
    if kind(module):
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
    return next((module for module in inner if kind(module) and kind(module) == kind(base)), base)


def _is_whole_encoder_decoder(base: nn.Module) -> bool:
    # The encoder taken out of one has the same configuration, but no decoder.
    return getattr(getattr(base, "config", None), "is_encoder_decoder", False) and hasattr(base, "decoder")


def kind(module: object) -> str | None:
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
    family = getattr(config, "model_type", None)
    if family in UNREADABLE:
        raise ValueError(
            f"{type(model).__name__} cannot be measured: {UNREADABLE[family]}. The book's page on architectures has "
            "those that can."
        )
    depth = getattr(config, "num_hidden_layers", None)
    # Per-layer lists inside a block (experts, heads) can have the same length; the blocks come first and outermost.
    found = next((m for m in _own(base, family) if isinstance(m, nn.ModuleList) and len(m) == depth), None)
    if found is None:
        wanted = "Transformer blocks" if depth is None else f"list of {depth} Transformer blocks"
        raise ValueError(
            f"Found no {wanted} in {type(model).__name__}. Give a Hugging Face causal language model or encoder."
        )
    return found


def _own(module: nn.Module, family: str | None) -> Iterator[nn.Module]:
    """The modules of a model, but for those of another model inside it, such as an image encoder of the same depth."""
    yield module
    for child in module.children():
        if kind(child) in (None, family):
            yield from _own(child, family)


def n_entries(model: nn.Module) -> int:
    """L + 1, the number of entries of the residual stream."""
    return len(blocks(model)) + 1


def virtual_tokens(model: nn.Module) -> int:
    """How many tokens PEFT's prompt learning puts before each text; 0 for any other model."""
    configs = [module.active_peft_config for module in model.modules() if hasattr(module, "active_peft_config")]
    return sum(config.num_virtual_tokens for config in configs if config.is_prompt_learning)


def ends_with_last_block(base: nn.Module) -> bool:
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
