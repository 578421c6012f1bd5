"""Models measured by name for a command, one after the other; a result carries where all of it comes from."""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..base.files import CANNOT_WRITE
from ..base.settings import flag
from ..condensation import Condensation
from . import door
from .command import SOURCES

VERSIONED = ("decondense", "torch", "transformers", "tokenizers", "numpy")
REFUSALS = (ValueError, OSError, MemoryError, RuntimeError, ImportError)


class How(NamedTuple):
    """How each model is loaded (`models.load`) and measured (`measurement.measure`)."""

    weights: str = "pretrained"
    tokenizer: str | None = None
    max_length: int = 512
    device: str | None = None
    dtype: str = "float32"
    sources: tuple[str, ...] = SOURCES
    seed: int = 0
    accept_terms: bool = False


def check(names: Sequence[str], how: How) -> None:
    """Refuse, before anything is loaded, what every model would be refused for.

    Raises
        ValueError: unknown model, weights, dtype, source or device; a seed that nothing reads.
        FileNotFoundError: a folder that holds no model.
    """
    from .. import models
    from ..base import machine
    from ..base.errors import unknown

    for kind, value, known in (("weights", how.weights, ("pretrained", "random")), ("dtype", how.dtype, models.DTYPES)):
        if value not in known:
            raise unknown(kind, value, known)
    for source in how.sources:
        if source not in models.SOURCES:
            raise unknown("source", source, models.SOURCES)
    door.check_models(names)
    if how.seed and how.weights == "pretrained" and (others := [name for name in names if name not in _pocket()]):
        raise ValueError(f"{others[0]} has weights of its own: add --weights random, or leave --seed out.")
    if how.tokenizer:
        door.check_models([how.tokenizer])
    machine.device(how.device)


def measured(name: str, texts: door.Texts, how: How, progress: bool = False) -> Condensation:
    """One model measured; `settings` hold its provenance, the texts with their SHA-256, and versions.

    Raises
        ValueError: hidden vectors that are not finite.
        What `models.load` and `measurement.measure` raise.
    """
    from .. import measurement, models

    if Path(name).is_dir():
        _check_folder(Path(name), how)
    loaded = models.load(
        name, how.weights, dtype=how.dtype, device=how.device, sources=how.sources, seed=how.seed,
        accept_terms=how.accept_terms,
    )  # fmt: skip
    # Random weights come without a tokenizer: the texts are cut as for the pretrained model, or as asked.
    tokens = loaded.tokenizer
    if how.tokenizer or tokens is None:
        tokens = _tokenizer(how.tokenizer or name, how)
    label = door.label(name, how.weights, how.seed)
    result = measurement.measure(
        loaded.model, tokens, texts.texts, max_length=how.max_length, name=label, progress=progress
    )
    _check_finite(result, how)
    parameters = sum(p.numel() for p in loaded.model.parameters())
    family = models.table().get(name.lower(), {}).get("family", name.split("-")[0] if name in _pocket() else "other")
    model = loaded.provenance | {"model": door.label(name), "parameters": parameters, "family": family}
    if how.tokenizer:
        model["tokenizer"] = door.label(how.tokenizer)
    versions = {package: metadata.version(package) for package in VERSIONED}
    result.settings.update(model=model, texts=texts.source, texts_sha256=texts.sha256, versions=versions)
    return result


def _check_finite(result: Condensation, how: How) -> None:
    if (counts := result.nonfinite_vectors).any():
        raise ValueError(
            f"{counts.sum()} hidden vectors are NaN or infinite, the first at entry {counts.nonzero()[0][0]}: the "
            f"weights are damaged, or {how.dtype} is too narrow for them (--dtype float32)."
        )


def _check_folder(folder: Path, how: How) -> None:
    endings = {path.suffix for path in folder.iterdir()}
    if how.weights == "pretrained" and not endings & {".safetensors", ".bin"}:  # `models.load` refuses the latter
        raise FileNotFoundError(f"{folder} has no weights. Save them there: model.save_pretrained, or --weights-out.")
    if not how.tokenizer and not any(folder.glob("tokenizer*")):
        cure = "Save it there with tokenizer.save_pretrained, or name a model whose tokenizer fits: --tokenizer MODEL."
        raise FileNotFoundError(f"{folder} has no tokenizer. {cure}")


def several(
    names: Sequence[str], texts: door.Texts, how: How, progress: bool, done: Callable, failed: Callable
) -> list[Condensation]:
    """All that could be measured: `done(result)` after each, `failed(name, reason)` for one that could not be."""
    results = []
    for name in names:
        try:
            with plainly():
                result = measured(name, texts, how, progress)
        except REFUSALS as error:
            if (
                flag("DECONDENSE_DEBUG") or getattr(error, "errno", None) in CANNOT_WRITE
            ):  # no other model will do better
                raise
            failed(name, one_line(error))
            continue
        done(result)
        results.append(result)
    return results


@contextmanager
def plainly() -> Iterator[None]:
    """Warnings as one line each on standard error, and nothing of any library on standard output."""

    def show(message, *_):
        print(f"warning: {one_line(message)}", file=sys.stderr)

    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield


def one_line(message) -> str:
    """An error or a warning without its line breaks."""
    return " ".join(str(message).split())


def facts(result: Condensation) -> dict:
    """What a result says, as plain data: its numbers, the tokens of each text, its settings."""
    late, late_interval = result.mean_of_last(None)
    return {
        "name": result.name,
        "layers": len(result.mu) - 1,
        "rho": result.rho,
        "rho_interval": result.rho_interval,
        "tau": result.tau,
        "tau_interval": result.tau_interval,
        "late_half": late,
        "late_half_interval": late_interval,
        "mu": result.mu,
        "mu_off_diagonal": result.mu_off_diagonal,
        "zero_vectors": result.zero_vectors,
        "nonfinite_vectors": result.nonfinite_vectors,
        "tokens": result.tokens,
        "settings": result.settings,
    }


def _pocket() -> dict:
    from ..models import pocket

    return pocket.SIZES


def _tokenizer(name: str, how: How):
    from .. import models

    try:
        return models.load_tokenizer(name, sources=how.sources, accept_terms=how.accept_terms)
    except FileNotFoundError as error:
        where = ", ".join(how.sources)
        cure = "Take that of a model that can be had: --tokenizer smollm2-135m-instruct."
        raise FileNotFoundError(f"No tokenizer for {Path(name).name} from {where}. {cure}") from error
