"""`decondense measure --states`: a result of hidden states that others saved."""

import warnings
from dataclasses import replace
from pathlib import Path

OF_STATES = ("states", "order", "out", "card", "quiet", "as_json")  # all other options are of a model


def measured(path: Path, axes: str | None, out: Path | None, progress: bool):
    """`states.measure_states` of a file or a folder; into `out` as soon as it is there.

    Raises
        ValueError: a NaN or infinity, with its file, tensor and entry; `out` is the folder itself. What `states.read`
            and `states.measure_states` raise.
        FileNotFoundError: no such file or folder.
    """
    from .. import states
    from ..states.order import parse

    if out and out.resolve() == path.resolve():
        raise ValueError(f"--out {out} is the folder with the states, which holds nothing else. Give another folder.")
    found = states.read(path, parse(axes) if axes else None)
    name = path.resolve().stem if path.is_file() else path.resolve().name
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*NaN or infinite")  # an error in the next line
        result = states.measure_states(found, name=name, progress=progress)
    refuse_broken(result, found.names)
    about = {"model": name, "source": f"saved hidden states; axes {','.join(found.order)}, {found.told_by}"}
    about |= {"dtype": found.dtype}
    result = replace(
        result, settings=result.settings | {"texts": f"the states in {path.resolve().name}", "model": about}
    )
    if out:
        result.save(out / f"{name.lower()}.npz")
    return result


def refuse_broken(result, names) -> None:
    """Refuse vectors that are not finite.

    Raises
        ValueError: names the first text, as `names` has it, and entry.
    """
    import numpy as np

    broken = np.argwhere(np.isnan(result.mu_per_text))
    if len(broken):
        text, entry = broken[0]
        raise ValueError(
            f"{result.nonfinite_vectors.sum()} hidden vectors are NaN or infinite, the first in {names[text]}, entry "
            f"{entry}. Save the states again, in a wider type, or leave the text out."
        )
