"""A control: how far the precision of the weights alone moves what is measured.

The same models on the same texts, their weights as loaded and rounded to fewer bits (`models.quantise`).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .. import surveys
from ..base.extras import need
from ..pairing import QUANTITIES, Difference, compare
from ..records import Record
from . import Measured

Control = Mapping[str, Mapping[int | None, Measured]]  # model -> bits (`None`: as loaded) -> measurement
SYMBOLS = {"rho": "ρ", "tau": "τ", "late half": "late μ"}


def control(names: Sequence[str], bits: Sequence[int], corpus: str, **how) -> Control:
    """Each model as loaded and at each number of `bits`; `how` as in `surveys.measured`.

    A model that `surveys.survey` lists as missing is left out.
    """
    found: dict[str, dict[int | None, Measured]] = {}
    for width in (None, *bits):
        for members in surveys.survey(names, corpus, bits=width, **how).families.values():
            for one in members:
                found.setdefault(one.record.content["config"]["model"], {})[width] = one
    return found


def shifts(found: Control) -> Iterator[tuple[str, int, list[Difference]]]:
    """Model, bits, and how far `pairing.QUANTITIES` are from those of the model as loaded, paired over the texts."""
    for name, by_bits in found.items():
        for bits, one in by_bits.items():
            if bits is not None:
                yield name, bits, compare(by_bits[None].condensation, one.condensation).numbers


def table(found: Control) -> "pandas.DataFrame":
    """One row per model and number of bits: each quantity as loaded, its shift, the interval of that over the texts."""
    rows = []
    for name, bits, numbers in shifts(found):
        row = {"model": name, "bits": bits}
        for shift in numbers:
            symbol, (low, high) = SYMBOLS[shift.quantity], shift.interval
            row |= {symbol: shift.first, f"Δ{symbol}": f"{shift.difference:+.3f} [{low:+.3f}, {high:+.3f}]"}
        rows.append(row)
    return need("pandas", extra="train").DataFrame(rows)


def largest_shift(found: Control, bits: Sequence[int] | None = None) -> dict[str, float]:
    """For each of `pairing.QUANTITIES` the largest |shift| that an interval over the texts still holds, at these bits.

    Over all models and, without `bits`, all numbers of bits. So far two models of one family may seem to differ only
    because their files are of different precision.

    Raises
        ValueError: nothing was measured at these numbers of bits.
    """
    at = [numbers for _, width, numbers in shifts(found) if bits is None or width in bits]
    if not at:
        raise ValueError(f"No model was measured at {bits} bits: name models that are here, and bits of the control.")
    reach = [{shift.quantity: _reach(shift) for shift in numbers} for numbers in at]
    return {name: max(row[name] for row in reach) for name in QUANTITIES}


def records_of(found: Control) -> list[Record]:
    """All records of the control."""
    return [one.record for by_bits in found.values() for one in by_bits.values()]


def stored(found: Sequence[Record]) -> "pandas.DataFrame":
    """One row for each model whose weights came packed: the bits that a weight takes in its file, and its types."""
    packed = [model for record in found if "bits_per_weight" in (model := record.content["results"]["model"])]
    rows = [(model["model"], model["bits_per_weight"], _said(model["weight_types"])) for model in packed]
    return need("pandas", extra="train").DataFrame(rows, columns=["model", "bits a weight", "types"])


def _said(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{share:.0%} {kind}" for kind, share in shares.items() if share >= 0.005)


def sentence(found: Control, bits: Sequence[int]) -> str:
    """`largest_shift` in words; errors as there."""
    said = ", ".join(f"{SYMBOLS[name]} {value:.3f}" for name, value in largest_shift(found, bits).items())
    at = " or ".join(map(str, bits))
    return f"The largest shift at {at} bits that is compatible with these texts: {said}."


def _reach(shift: Difference) -> float:
    """With a single text there is no interval, and the shift itself counts."""
    return float(np.nanmax(np.abs([shift.difference, *shift.interval])))
