"""What is rounded, and how."""

from dataclasses import dataclass

from .rounding import LEAST, TERNARY, check_bits


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A way to round the linear layers of a model.

    bits
        Of the weights: 1.58 (ternary), or 2 to 16 (`rounding.rounded`); `None` leaves them as they are.
    activations
        Bits of the inputs of these layers, 2 to 16, each token with a step of its own; `None` leaves them as they are.
    group
        Weights that share a step: so many consecutive inputs of an output channel. `None`: all inputs of it, or the
        whole matrix at 1.58 bits.
    rotated
        Weights and inputs are rotated before they are rounded (`rotation.rotated`), which changes nothing without
        rounding.
    seed
        Of the random signs of the rotation.

    Raises
        ValueError: bits out of their range; a group below 2.
    """

    bits: float | None = 4
    activations: int | None = None
    group: int | None = None
    rotated: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bits is not None:
            check_bits(self.bits)
        if self.activations is not None:
            check_bits(self.activations, least=LEAST)
        if self.group is not None and self.group < 2:
            raise ValueError(f"A group has 2 weights or more, got {self.group}.")

    @property
    def label(self) -> str:
        """`W4`, `W4 A8`, `W4 by 32, rotated`; `ternary` for 1.58 bits."""
        weights = "" if self.bits is None else "ternary" if self.bits == TERNARY else f"W{self.bits:g}"
        activations = "" if self.activations is None else f"A{self.activations}"
        said = " ".join(filter(None, [weights, activations, f"by {self.group}" if self.group else ""])) or "as it is"
        return f"{said}, rotated" if self.rotated else said
