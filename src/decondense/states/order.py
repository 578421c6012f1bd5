"""Which axis of saved hidden states is which: as given, or inferred from the sizes; and the texts put in that order."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float

from .files import Held, shown

AXES = ("batch", "layers", "tokens", "features")
SAY = "Say what the axes are: --order, as in tokens,layers,features or layers,batch,tokens,features"


class Shape(NamedTuple):
    """What is known of a `Held` without its values. `rows`: tokens of each text of the batch that the mask leaves."""

    name: str
    sizes: tuple[int, ...]
    dtype: str
    layered: bool
    tokens: int | None
    rows: list[int] | None


def shape(held: Held) -> Shape:
    """The shape with the layers, where they are arrays of their own, as the first axis."""
    first = held.arrays[0]
    sizes = (len(held.arrays), *first.shape) if held.layered else tuple(first.shape)
    rows = None if held.mask is None else torch.atleast_2d(held.mask.bool()).sum(-1).tolist()
    return Shape(held.name, sizes, first.dtype, held.layered, held.tokens, rows)


def parse(text: str) -> tuple[str, ...]:
    """The axes in a list like "tokens,layers,features".

    Raises
        ValueError: an axis that does not exist, is missing, or is there twice.
    """
    axes = tuple(word.strip().lower() for word in text.split(","))
    if sorted(axes) not in (sorted(AXES), sorted(AXES[1:])):
        raise ValueError(f"--order {text}: name layers, tokens and features once each, and batch where there is one.")
    return axes


def settled(shapes: Sequence[Shape], said: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """The axes, and how they are known. All texts are checked against them.

    Raises
        ValueError: they cannot be inferred; or they do not fit, in one text or from one text to another.
    """
    for text in shapes:
        if len(text.sizes) not in (3, 4):
            raise ValueError(
                f"{text.name} has {len(text.sizes)} axes ({shown(text.sizes)}): the states of a text have "
                "tokens, layers and features, and a batch may be the fourth."
            )
        if len(text.sizes) != len(shapes[0].sizes):
            raise ValueError(
                f"{text.name} has {len(text.sizes)} axes, {shapes[0].name} {len(shapes[0].sizes)}. Save all alike."
            )
    if said:
        axes, told_by = tuple(said), "as --order says"
    elif all(text.layered for text in shapes):
        batch = ("batch",) if len(shapes[0].sizes) == 4 else ()
        axes, told_by = ("layers", *batch, "tokens", "features"), "the layers are arrays of their own"
    else:
        axes, told_by = _told(shapes)
    _check(shapes, axes)
    return axes, told_by


def _told(shapes: Sequence[Shape]) -> tuple[tuple[str, ...], str]:
    """The tokens are the axis that fits their number; of the other two the last is the features, and the larger one."""
    axes = range(len(shapes[0].sizes))
    batch = [a for a in axes if len(axes) == 4 and all(text.sizes[a] == 1 for text in shapes)]
    rest = [a for a in axes if a not in batch]
    varying = [a for a in rest if len({text.sizes[a] for text in shapes}) > 1]
    counted = all(text.tokens for text in shapes)
    counts = [a for a in rest[:-1] if all(text.tokens == text.sizes[a] for text in shapes)]
    tokens = counts if counted else varying
    if len(varying) > 1:
        other = next(
            text for text in shapes if sum(a != b for a, b in zip(text.sizes, shapes[0].sizes, strict=True)) > 1
        )
        raise ValueError(
            f"{shapes[0].name} is {shown(shapes[0].sizes)}, {other.name} {shown(other.sizes)}: texts may differ in the "
            "number of tokens alone. Measure those of another model apart."
        )
    if len(rest) == 3 and len(tokens) == 1 and tokens[0] != rest[-1]:
        layers, features = (a for a in rest if a != tokens[0])
        # Sizes alone may be those of two models on texts of one length: that would look as more layers than tokens.
        deepest = shapes[0].sizes[layers] if not counted else 0
        if all(text.sizes[layers] < text.sizes[features] and text.sizes[tokens[0]] >= deepest for text in shapes):
            names = {tokens[0]: "tokens", layers: "layers", features: "features"}
            return tuple(names.get(a, "batch") for a in axes), f"inferred from the {'ids' if counted else 'sizes'}"
    raise ValueError(f"{shapes[0].name} is {shown(shapes[0].sizes)}: which axis is which is not clear. {SAY}.")


def _check(shapes: Sequence[Shape], axes: tuple[str, ...]) -> None:
    if len(axes) != len(shapes[0].sizes):
        raise ValueError(f"{shapes[0].name} is {shown(shapes[0].sizes)}, which are not {','.join(axes)}. {SAY}.")
    first = dict(zip(axes, shapes[0].sizes, strict=True))
    for text in shapes:
        size = dict(zip(axes, text.sizes, strict=True))
        for axis in ("layers", "features"):
            if size[axis] != first[axis]:
                raise ValueError(
                    f"{text.name} has {size[axis]} {axis}, {shapes[0].name} {first[axis]}, as {','.join(axes)}: they "
                    "are not of one model, or the order is another (--order)."
                )
        if text.tokens and text.tokens != size["tokens"]:
            raise ValueError(
                f"{text.name} has {size['tokens']} tokens as {','.join(axes)}, but {text.tokens} ids or mask values "
                "beside them. Give the right --order."
            )
        _check_batch(text, size.get("batch", 1))
        if (shortest := min(text.rows or [size["tokens"]])) < 2:
            raise ValueError(
                f"{text.name} has a text of {shortest} token(s) as {','.join(axes)}; cosines between tokens need at "
                "least 2. Leave it out."
            )
        if min(size.values()) == 0:
            raise ValueError(f"{text.name} is {shown(text.sizes)}: there is nothing in it. Leave it out.")


def _check_batch(text: Shape, batch: int) -> None:
    if text.rows is None and batch > 1:
        raise ValueError(
            f"{text.name} has {batch} texts in a batch and no attention_mask beside them, so padding would count as "
            "tokens. Save the mask too (all ones where nothing is padded), or a text at a time."
        )
    if text.rows is not None and len(text.rows) != batch:
        raise ValueError(
            f"{text.name} has a batch of {batch} and a mask of {len(text.rows)} rows. Save those that fit."
        )


def names(text: Shape, axes: tuple[str, ...]) -> list[str]:
    """A name for each text of a batch."""
    batch = dict(zip(axes, text.sizes, strict=True)).get("batch", 1)
    return [text.name] if batch == 1 else [f"{text.name}, row {row}" for row in range(batch)]


def texts(held: Held, axes: tuple[str, ...]) -> Iterator[Float[torch.Tensor, "entries tokens features"]]:
    """The states of each text of a batch, without padding."""
    states = torch.stack([array.load() for array in held.arrays]) if held.layered else held.arrays[0].load()
    states = states if len(axes) == 4 else states[None]
    axes = axes if len(axes) == 4 else ("batch", *axes)
    states = states.permute([axes.index(axis) for axis in AXES])
    masks = [None] * len(states) if held.mask is None else torch.atleast_2d(held.mask.bool())
    for row, mask in zip(states, masks, strict=True):
        yield row if mask is None else row[:, mask]
