"""The condensation of hidden states that others saved: `measure_states(read("folder"))`.

Which entries of the residual stream are in a file is up to who saved it. rho and tau are over the entries that are
there, in the order in which they are there; layer l of the result is the l-th of the file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from .. import measurement, metrics
from ..condensation import Condensation
from . import files, order


def measure_states(
    states: Iterable[Float[torch.Tensor, "entries _tokens features"] | Float[np.ndarray, "entries _tokens features"]],
    *,
    histogram: Literal["pooled", "averaged"] | None = "pooled",
    bins: int = metrics.BINS,
    eps: float = metrics.PAPER_EPS,
    seed: int = 0,
    name: str = "states",
    progress: bool = True,
) -> Condensation:
    """What `measure` would return for the texts whose hidden states these are, by the same reduction.

    states
        One tensor a text, of any floating type, without padding: taken one by one, so a generator or what `read`
        returns never has more than one text in memory. Of a Hugging Face output with a batch of one::

            measure_states([torch.cat(model(**text, output_hidden_states=True).hidden_states)])

    histogram, bins, eps, seed
        As in `measure`.

    `settings["max_length"]` of the result is `None`: nothing was cut here. `settings["dtype"]` is the coarsest type of
    the states: the one with the largest step from 1 to the next number.

    Raises
        ValueError: no text, a text of one token, other axes than three, integers, texts that differ in the number of
            entries or features; of unequal length for "averaged".
    """
    if histogram not in ("pooled", "averaged", None) or bins < 1 or eps <= 0:
        raise ValueError(
            f'histogram must be "pooled", "averaged" or None, bins at least 1, eps above 0; got {histogram!r}, {bins}, '
            f"{eps}."
        )
    store: dict[int, torch.Tensor] = {}
    reduce = measurement.reducer(store, histogram, bins, eps)
    numbers, shapes, dtypes = [], [], []
    for z in tqdm(states, desc=f"measuring {name}", unit="text", disable=not progress, leave=False):
        z = torch.as_tensor(z)
        _check(z, len(shapes), shapes[0] if shapes else None, histogram)
        shapes.append(tuple(z.shape))
        dtypes.append(z.dtype)
        with torch.inference_mode():
            numbers.append(torch.stack([reduce(entry, layer).cpu() for entry, layer in enumerate(z)]).double())
    if not shapes:
        raise ValueError("No hidden states given. Give those of at least one text.")
    settings = {"max_length": None, "histogram": histogram, "bins": bins, "eps": eps, "seed": seed}
    settings |= {"dtype": str(max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)).removeprefix("torch.")}
    lengths = np.array([tokens for _, tokens, _ in shapes])
    return measurement.gathered(torch.stack(numbers), store, lengths, name, settings)


def _check(z: torch.Tensor, number: int, first: tuple[int, ...] | None, histogram: str | None) -> None:
    if not z.is_floating_point() or z.ndim != 3:
        raise ValueError(
            f"The states of text {number} are a {z.dtype} of shape {tuple(z.shape)}; give floating point numbers of "
            "shape (entries, tokens, features)."
        )
    entries, tokens, features = z.shape
    if tokens < 2:
        raise ValueError(f"Text {number} has {tokens} token(s); cosines between tokens need at least 2. Leave it out.")
    if entries == 0 or features == 0:
        raise ValueError(f"The states of text {number} have the shape {tuple(z.shape)}: there is nothing to measure.")
    if first and (entries, features) != (first[0], first[2]):
        raise ValueError(
            f"Text {number} has {entries} entries of {features} features, text 0 has {first[0]} of {first[2]}: they "
            "are not of the same model. Measure them apart."
        )
    if first and histogram == "averaged" and tokens != first[1]:
        raise ValueError(
            f'histogram="averaged" needs texts of the same number of tokens; text {number} has {tokens}, text 0 '
            f"{first[1]}."
        )


@dataclass(frozen=True)
class SavedStates:
    """Texts in files. Iterating opens one file after the other and gives (entries, tokens, features) for each text.

    names
        Of each text: its file, the tensor where the file has several, and its place in a batch.
    order, told_by
        What the axes are, and how that is known.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    order: Sequence[str]
    told_by: str
    dtype: str

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[torch.Tensor]:
        for path in self.paths:
            for held in files.held(path):
                yield from order.texts(held, tuple(self.order))


def read(path: Path | str, axes: Sequence[str] | None = None) -> SavedStates:
    """The states in a file, or in all files of a folder; what can be checked without their values is checked here.

    path
        A `.safetensors`, `.npz`, `.npy` or `.pt` file (the last with `weights_only`: no pickle is run), or a folder of
        such files, taken in the order of their names, numbers by value. In a file:

        - `hidden_states`, alone or beside other tensors, are those of one text, as vLLM's extractor writes them;
        - a list, or arrays whose names are numbered, of (tokens, features) or (1, tokens, features) are the layers of
          one text, as Hugging Face's `hidden_states`;
        - any other array is that of one text.

        With a batch of several texts `attention_mask` must be there too; what it hides is cut off.
    axes
        What the axes of a text's array are: "tokens", "layers", "features", and of four "batch". Without it the axes
        must be plain: the layers are arrays of their own, or the numbers of tokens (`token_ids`, `input_ids` or
        `attention_mask` beside the states, else the one size that differs between the texts and is not below that of
        the layers) show which axis is the tokens, and of the other two the last is the larger one: the features.

    Raises
        FileNotFoundError: no such file.
        ValueError: a file that is damaged or of another kind, a pickle, an empty folder; integers; layers or axes whose
            order is not clear, or is not as given; one token; texts that differ in layers or features; a batch
            without its mask.
    """
    paths = files.paths(Path(path))
    shapes = [order.shape(held) for file in paths for held in files.held(file)]  # one file open at a time
    axes, told_by = order.settled(shapes, axes)
    names = [name for text in shapes for name in order.names(text, axes)]
    return SavedStates(paths, names, axes, told_by, ", ".join(sorted({text.dtype for text in shapes})))
