"""The residual stream of a Hugging Face model, reduced while the forward pass runs: no hidden state is kept.

Layer convention, the same as Hugging Face's `hidden_states`, L + 1 entries for L blocks:
entry 0 is the input of the first block (the embedding output), entry l < L the input of block l + 1 (the output of
block l), and entry L what the model returns as `last_hidden_state`: in GPT-2, Llama, Qwen, Bloom and their kin the
state AFTER the final norm, not the bare output of the last block. The paper measures these entries. A model that is
told otherwise (`config.tie_last_hidden_states = False`) ends, as its `hidden_states` do, with the last block's output.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import NamedTuple, TypeVar

from torch import Tensor, nn

from .backbones import (
    PADDING_BLIND,
    PADS_RIGHT,
    UNREADABLE,
    backbone,
    blocks,
    ends_with_last_block,
    n_entries,
    pretrained,
    virtual_tokens,
)

__all__ = [
    "PADDING_BLIND",
    "UNREADABLE",
    "Pass",
    "backbone",
    "blocks",
    "n_entries",
    "pretrained",
    "residual_stream",
    "trained_passes",
    "virtual_tokens",
]

T = TypeVar("T")
CACHES = ("cache", "past_key_values", "cache_params", "state")  # as releases and models name them
OF_TOKENS = ("attention_mask", "position_ids", "cu_seq_lens_q")  # what says which tokens there are, and of what


class Pass(NamedTuple):
    """One forward pass: the hidden states at the entries that were asked for, and what the backbone was called with."""

    entries: dict[int, Tensor]
    given: dict[str, object]


@contextmanager
def residual_stream(
    model: nn.Module, reduce: Callable[[int, Tensor], T] = lambda _, hidden: hidden, *, last_block: bool = False
) -> Iterator[dict[int, T]]:
    """Call `reduce(l, hidden)` on every entry l = 0..L of the residual stream in each forward pass inside the block.

    `hidden` has the shape (batch, tokens, features). What `reduce` returns, the state itself if nothing is given, is
    stored under l in the dictionary that the context gives, and replaced by the next forward pass; nothing else is
    kept, so memory does not grow with depth::

        with residual_stream(model, lambda l, h: h.norm(dim=-1).mean()) as norms:
            backbone(model)(input_ids)
        norms[0], ..., norms[L]

    last_block
        Also call `reduce(L + 1, hidden)`, before that of L, on the bare output of the last block: entry L before the
        final norm, and equal to it where there is none.

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

    with _listening(model, see, last_block=last_block):
        yield results


@contextmanager
def trained_passes(model: nn.Module, chosen: Sequence[int]) -> Iterator[list[Pass]]:
    """The forward passes inside the block that have a gradient, in order, with the states at the entries `chosen`.

    Entry L + 1 is the bare output of the last block, as in `residual_stream`.

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

    with _listening(model, see, end, last_block=max(chosen, default=0) >= n_entries(model)):
        yield passes


@contextmanager
def _listening(
    model: nn.Module,
    see: Callable[[int, Tensor], None],
    end: Callable[[dict], None] = lambda _: None,
    last_block: bool = False,
) -> Iterator[None]:
    """Hooks for a while: `see(l, hidden)` at every entry of a pass, `end(what the backbone was given)` behind it."""
    listener = _Listener(model, see, end, last_block)
    handles = listener.attach()
    try:
        yield
        if not listener.passes:
            raise RuntimeError(_nothing(listener.name))
    finally:
        for handle in handles:
            handle.remove()


class _Listener:
    """The hooks of one context, and what they share: what the pass that runs was given, the blocks that it came by.

    Copies of the model that are made meanwhile carry the hooks too: what they do is not seen.
    """

    def __init__(
        self, model: nn.Module, see: Callable[[int, Tensor], None], end: Callable[[dict], None], last_block: bool
    ):
        self.outer, self.base, self.layers = pretrained(model), backbone(model), blocks(model)
        self.name, self.virtual, self.see, self.end = type(self.outer).__name__, virtual_tokens(model), see, end
        self.last_block = last_block
        _refuse_meta(self.base, self.name)
        self.bare, self.cuts = ends_with_last_block(self.base), self.base.config.model_type in PADS_RIGHT
        self.names = {module: list(signature(module.forward).parameters) for module in (self.outer, self.base)}
        self.outer_given: dict[str, object] = {}
        self.given: dict[str, object] = {}
        self.arrived: list[int] = []  # of the pass that runs now; blocks that are run outside of one are not seen
        self.passes = 0

    def __deepcopy__(self, _memo):
        return self  # a copy of the model has this one's hooks, which do not know it

    def attach(self) -> list:
        """Put the hooks in place."""
        handles = []
        if self.outer is not self.base:
            handles.append(self.outer.register_forward_pre_hook(self.on_outer, with_kwargs=True))
        handles.append(self.base.register_forward_pre_hook(self.on_begin, with_kwargs=True))
        for entry, block in enumerate(self.layers):
            handles.append(block.register_forward_pre_hook(self._on_block(entry), with_kwargs=True))
        handles.append(self.layers[-1].register_forward_hook(self.on_last_block))
        handles.append(self.base.register_forward_hook(self.on_end))
        return handles

    def on_outer(self, module, args, kwargs):
        if module is self.outer:
            self.outer_given = dict(zip(self.names[module], args, strict=False)) | kwargs

    def on_begin(self, module, args, kwargs):
        if module is self.base:
            given = dict(zip(self.names[module], args, strict=False)) | kwargs
            _refuse_step(given, self.virtual)
            # Some heads do not hand on what they were given, or in a form that does not show the tokens any more.
            self.given = given | {name: _readable(given.get(name), self.outer_given.get(name)) for name in OF_TOKENS}
            self.arrived = [-1]

    def _on_block(self, entry: int):
        def on_block(module, args, kwargs):
            if self.arrived and module is self.layers[entry]:
                hidden = args[0] if args else kwargs["hidden_states"]
                _check(hidden, self.name)
                self.arrived.append(entry)
                self.see(entry, self._of_input(hidden))

        return on_block

    def on_last_block(self, module, _args, output):
        if (self.bare or self.last_block) and self.arrived and module is self.layers[-1]:
            hidden = output[0] if isinstance(output, tuple | list) else output
            _check(hidden, self.name)
            if self.last_block:
                self.see(len(self.layers) + 1, self._of_input(hidden))
            if self.bare:
                self.see(len(self.layers), self._of_input(hidden))

    def on_end(self, module, _args, output):
        if module is not self.base:
            return
        if self.arrived != list(range(-1, len(self.layers))):
            raise RuntimeError(_incomplete(self.name, self.arrived[1:], len(self.layers)))
        if not self.bare:
            # A backbone returns a ModelOutput, or a plain tuple when asked with return_dict=False.
            last = output[0] if isinstance(output, tuple) else output.last_hidden_state
            self.see(len(self.layers), self._of_input(last))
        self.arrived, self.outer_given = [], {}
        self.passes += 1
        self.end(self.given)

    def _of_input(self, hidden: Tensor) -> Tensor:
        """The states of the tokens that the backbone was given."""
        row = self.given.get("input_ids")
        row = self.given.get("inputs_embeds") if row is None else row
        if row is None or hidden.shape[1] == row.shape[1]:
            return hidden
        if self.cuts and hidden.shape[1] > row.shape[1]:
            return hidden[:, : row.shape[1]]
        raise ValueError(
            f"{self.name} makes {hidden.shape[1]} states of a row of {row.shape[1]} tokens: which state is whose is "
            "not known. It cannot be read."
        )


def _readable(inner: object, outer: object) -> object:
    """What the backbone was given, or where that is nothing, or no mask of two axes, what the whole model was."""
    plain = lambda value: isinstance(value, Tensor) and value.ndim < 4
    return outer if plain(outer) and not plain(inner) else inner


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
    held = (given.get(name) for name in CACHES)
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
