"""`Condensation`: the result of a measurement, with its trends, intervals, table and file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from jaxtyping import Float, Int

from . import metrics
from .base.archives import read_arrays
from .base.errors import printable
from .base.extras import need
from .base.files import write_atomically
from .controls import Controls
from .controls.result import check
from .stats import RESAMPLES, Interval, percentile_interval

_ARRAYS = (
    "mu_per_text",
    "mu_off_diagonal_per_text",
    "histogram",
    "tokens",
    "zero_vectors",
    "nonfinite_vectors",
)
_CONTROLS = "controls_"  # before the names of their arrays


@dataclass(frozen=True, eq=False, repr=False)
class Condensation:
    """What `measure` returns. Entry l = 0..L follows Hugging Face's `hidden_states` (see `decondense.hooks`).

    mu_per_text
        Mean cosine over all N^2 ordered token pairs, diagonal included (the paper's mu), per text and entry.
    mu_off_diagonal_per_text
        The same over the N(N-1) pairs of different tokens.
    histogram
        Density of the cosines over [-1, 1] per entry, rows integrate to 1; `None` when switched off.
    tokens
        Number of tokens of each text, special tokens that the tokenizer adds included.
    zero_vectors, nonfinite_vectors
        Per entry, how many token vectors were exactly zero, or held a NaN or infinity, in all texts together.
        A text with a non-finite vector gives NaN at that entry: it is reported and not averaged away.

    controls
        What of mu lies within texts and what between them (`measure(..., controls=True)`), else `None`.

    Some records of training runs keep mu and the histogram alone; what they do not keep is `None`.
    """

    name: str
    mu_per_text: Float[np.ndarray, "texts entries"]
    mu_off_diagonal_per_text: Float[np.ndarray, "texts entries"] | None
    histogram: Float[np.ndarray, "entries bins"] | None
    tokens: Int[np.ndarray, "texts"]
    zero_vectors: Int[np.ndarray, "entries"] | None
    nonfinite_vectors: Int[np.ndarray, "entries"] | None
    settings: dict
    controls: Controls | None = None

    def __repr__(self) -> str:
        entries, texts = len(self.mu), len(self.tokens)
        return f"<Condensation of {self.name}: {entries} entries, {texts} texts, ρ {self.rho:+.3f}, τ {self.tau:+.3f}>"

    @property
    def mu(self) -> Float[np.ndarray, "entries"]:
        """Mean over the texts of the mean cosine, diagonal included; range [0, 1]."""
        return self.mu_per_text.mean(0)

    @property
    def mu_off_diagonal(self) -> Float[np.ndarray, "entries"]:
        """Mean over the texts of the mean cosine of different tokens; range [-1/(N-1), 1]; NaN if not kept."""
        kept = self.mu_off_diagonal_per_text
        return np.full_like(self.mu, np.nan) if kept is None else kept.mean(0)

    @property
    def layer_fraction(self) -> Float[np.ndarray, "entries"]:
        """l / L, from 0 (embedding output) to 1 (last entry)."""
        return np.linspace(0, 1, len(self.mu))

    @property
    def dtype(self) -> str:
        """What the forward pass rounded to ("float32", "bfloat16", ...); float32 where an older result does not say."""
        return self.settings.get("dtype") or self.settings.get("model", {}).get("dtype") or "float32"

    @property
    def resolution(self) -> float:
        """The smallest difference of mu that counts, by `dtype` (`metrics.resolution`)."""
        return metrics.resolution(self.dtype)

    @property
    def is_constant(self) -> bool:
        """Whether mu varies over depth by no more than `resolution`: rho and tau, which rank it, are NaN then."""
        return bool(np.ptp(self.mu) <= self.resolution)

    @property
    def rho(self) -> float:
        """Spearman correlation of mu with depth over all L + 1 entries: near +1, condensation grows with depth.

        NaN where mu is constant up to rounding (`is_constant`), or has a NaN.
        """
        return float(metrics.spearman(self.mu, self.resolution))

    @property
    def tau(self) -> float:
        """Kendall's tau-b of mu with depth over all L + 1 entries; NaN as `rho`."""
        return float(metrics.kendall(self.mu, self.resolution))

    @cached_property
    def resampled_mu(self) -> Float[np.ndarray, "resamples entries"]:
        """mu of 2,000 bootstrap resamples of the texts; the same draws for the same seed and number of texts.

        So differences between two models measured on the same texts can be taken resample by resample.
        """
        texts = len(self.mu_per_text)
        rng = np.random.default_rng(self.settings["seed"])
        draws = rng.multinomial(texts, np.full(texts, 1 / texts), size=RESAMPLES)
        return draws @ self.mu_per_text / texts

    def _interval(self, statistic) -> Interval:
        return percentile_interval(statistic(self.resampled_mu), len(self.mu_per_text))

    @property
    def mu_interval(self) -> Interval:
        """95 % bootstrap interval of `mu` over the texts at each entry: two arrays, low and high."""
        return percentile_interval(self.resampled_mu, len(self.mu_per_text))

    @cached_property
    def rho_interval(self) -> Interval:
        """95 % bootstrap interval of `rho` over the texts.

        Percentile interval. Resampling adds noise to mu, which pulls a rank correlation towards 0: where neighbouring
        entries hardly differ, the interval can lie off-centre, or even beside the value.
        """
        return self._interval(lambda mu: metrics.spearman(mu, self.resolution))

    @cached_property
    def tau_interval(self) -> Interval:
        """95 % bootstrap interval of `tau` over the texts."""
        return self._interval(lambda mu: metrics.kendall(mu, self.resolution))

    def mean_of_last(self, entries: int | None) -> tuple[float, Interval]:
        """`metrics.mean_of_last` of mu, and its 95 % bootstrap interval over the texts."""
        value = float(metrics.mean_of_last(self.mu, entries))
        return value, self._interval(lambda mu: metrics.mean_of_last(mu, entries))

    def to_frame(self) -> "pandas.DataFrame":
        """One row per entry: mu, its spread over the texts, and the counts of vectors that have no direction."""
        texts = len(self.mu_per_text)
        return need("pandas", extra="train").DataFrame(
            {
                "layer": np.arange(len(self.mu)),
                "layer_fraction": self.layer_fraction,
                "mu": self.mu,
                "mu_off_diagonal": self.mu_off_diagonal,
                "std_over_texts": self.mu_per_text.std(0, ddof=1) if texts > 1 else np.nan,
                "zero_vectors": self.zero_vectors,
                "nonfinite_vectors": self.nonfinite_vectors,
            }
        )

    def plot(self):
        """Heat map of the cosines over depth with mu on top: a matplotlib figure."""
        from . import plots

        return plots.heatmaps([self])

    def to_bytes(self) -> bytes:
        """The `.npz` file of this result, as `save` writes it; holds no pickles."""
        arrays = {f: getattr(self, f) for f in _ARRAYS if getattr(self, f) is not None}
        if self.controls is not None:
            arrays |= {_CONTROLS + name: array for name, array in self.controls.arrays().items()}
        buffer = BytesIO()
        np.savez_compressed(buffer, header=json.dumps({"name": self.name, "settings": self.settings}), **arrays)
        return buffer.getvalue()

    def save(self, path: Path | str) -> Path:
        """Write to `path` (`.npz`), atomically. `Condensation.load` reads it back."""
        return write_atomically(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: Path | str) -> "Condensation":
        """Read what `save` wrote. Shapes, types and sizes are checked: the file may be anyone's.

        Raises
            ValueError: the file is not one of ours, or is damaged; the reason in brackets.
            MemoryError: its arrays, or a bootstrap over its texts, would not fit in free memory.
        """
        try:
            found = read_arrays(path)
            header = json.loads(str(found["header"]))
            arrays = {"histogram": None} | {name: found[name] for name in _ARRAYS if name in found}
            _check_arrays(arrays)
            _check_header(header)
            controls = _controls(found, header["settings"]["seed"], *arrays["mu_per_text"].shape)
        except (FileNotFoundError, IsADirectoryError, PermissionError, MemoryError):
            raise
        except Exception as error:  # a damaged zip raises anything from KeyError to zlib.error
            reason = str(error) if type(error) is ValueError else type(error).__name__
            raise ValueError(
                f"{path} is not a saved Condensation, or it is damaged ({reason}). Measure again."
            ) from error
        return cls(**header | {"name": printable(header["name"])}, **arrays, controls=controls)


def _check_arrays(arrays: Mapping[str, np.ndarray | None]) -> None:
    """Whether the arrays of a result fit together, as those of a file may not.

    Raises
        ValueError: what is wrong.
        MemoryError: a bootstrap over so many texts does not fit in free memory.
    """
    if absent := [name for name in _ARRAYS if name not in arrays]:
        raise ValueError(f"it has no {absent[0]}")
    shape = arrays["mu_per_text"].shape
    texts, entries = shape if len(shape) == 2 else (0, 0)
    if texts < 1 or entries < 2:
        raise ValueError(f"mu_per_text has the shape {shape}, not (texts, entries)")
    bins = np.shape(arrays["histogram"])[1:]
    wanted = ((texts, entries), (texts, entries), (entries, *bins), (texts,), (entries,), (entries,))
    for name, shape in zip(_ARRAYS, wanted, strict=True):
        array, kinds = arrays[name], "f" if name.startswith(("mu", "hist")) else "iu"
        fits = array is None or (array.dtype.kind in kinds and array.shape == shape and array.size)
        if not fits or (name == "histogram" and array is not None and array.ndim != 2):
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
        if name.startswith("mu") and (np.abs(array) > 1.001).any():
            raise ValueError("a mean cosine is not within [-1, 1]")
    if 2 * 8 * RESAMPLES * texts > psutil.virtual_memory().available:
        raise MemoryError(f"A bootstrap over {texts:,} texts does not fit in free memory: measure fewer.")


def _controls(found: Mapping[str, np.ndarray], seed: int, texts: int, entries: int) -> Controls | None:
    """The controls that a file has; ValueError where their arrays do not fit."""
    arrays = {name.removeprefix(_CONTROLS): array for name, array in found.items() if name.startswith(_CONTROLS)}
    if not arrays:
        return None
    check(arrays, texts, entries)
    return Controls.of_arrays(arrays, seed)


_SETTINGS = {  # what is read of a result's settings, and what it must be
    "seed": int, "max_length": int | None, "eps": int | float, "texts": str | None, "texts_sha256": str | None,
    "dtype": str | None, "model": dict, "versions": dict,
}  # fmt: skip


def _check_header(header: object) -> None:
    if not (isinstance(header, dict) and header.keys() == {"name", "settings"}):
        raise ValueError("it has no name and settings")
    if not (isinstance(header["name"], str) and isinstance(header["settings"], dict)):
        raise ValueError("it has no name and settings")
    given = {"texts": None, "texts_sha256": None, "dtype": None, "model": {}, "versions": {}} | header["settings"]
    for setting, kind in _SETTINGS.items():
        if setting not in given:
            raise ValueError(f"it has no setting {setting}")
        value = given[setting]
        if not isinstance(value, kind) or isinstance(value, bool) or (setting == "seed" and value < 0):
            raise ValueError(f"its setting {setting} is {value!r}")
    if not isinstance(dtype := given["model"].get("dtype"), str | None):
        raise ValueError(f"the dtype of its model is {dtype!r}")


def to_arrays(results: Sequence[Condensation]) -> dict[str, np.ndarray]:
    """Several results of the same shape as the arrays of one `.npz` file; `from_arrays` gives them back.

    Histograms are kept in float32.
    """
    kept = [name for name in _ARRAYS if getattr(results[0], name) is not None]
    arrays = {name: np.stack([getattr(result, name) for result in results]) for name in kept}
    if "histogram" in arrays:
        arrays["histogram"] = arrays["histogram"].astype(np.float32)
    if all(result.controls is not None for result in results):
        of_each = [result.controls.arrays() for result in results]
        arrays |= {_CONTROLS + name: np.stack([found[name] for found in of_each]) for name in of_each[0]}
    headers = [{"name": result.name, "settings": result.settings} for result in results]
    return arrays | {"header": np.array(json.dumps(headers))}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> list[Condensation]:
    """The results that `to_arrays` was given; other arrays beside theirs are left out."""
    kept = [name for name in _ARRAYS if name in arrays]
    absent = dict.fromkeys(name for name in _ARRAYS if name not in kept)
    kept += [name for name in arrays if name.startswith(_CONTROLS)]
    results = []
    for number, header in enumerate(json.loads(str(arrays["header"]))):
        found = {name: arrays[name][number] for name in kept}
        controls = _controls(found, header["settings"].get("seed", 0), *found["mu_per_text"].shape)
        own = {name: array for name, array in found.items() if name in _ARRAYS}
        results.append(Condensation(**header, **absent, **own, controls=controls))
    return results
