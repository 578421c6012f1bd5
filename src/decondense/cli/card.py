"""A measurement as a piece of Markdown for a model card on the hub: a table, the figure, the settings, the command."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from .. import __version__
from ..condensation import Condensation
from .report import MEANING

HEAD = ("model", "layers", "μ first", "μ middle", "μ last", "late half", "ρ", "τ")


def card(results: Sequence[Condensation], command: str, figure: str | None) -> str:
    """The card of one or more models on the same texts. `figure`: the image beside it, `None` for none."""
    picture = [f"![Density of the cosines over depth, with their mean μ as a line]({figure})", ""] if figure else []
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", command))])
    lines = ["## Embedding condensation", "", " ".join(MEANING), "", *_table(HEAD, map(_row, results)), "", *picture]
    lines += [*_table(("setting", "value"), _settings(results)), "", f"{fence}bash", command, fence]
    return "\n".join(lines) + "\n"


def escaped(text: object) -> str:
    r"""Text as Markdown shows it letter by letter, also in a table: `|`, `$`, `_`, ... get a backslash.

    Line breaks and control characters are left out.
    """
    words = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", "".join(c for c in words if c.isprintable()))


def _row(result: Condensation) -> list[str]:
    mu = [f"{result.mu[entry]:.3f}" for entry in (0, (len(result.mu) - 1) // 2, -1)]
    pairs = [result.mean_of_last(None), (result.rho, result.rho_interval), (result.tau, result.tau_interval)]
    return [escaped(result.name), str(len(result.mu) - 1), *mu, *(_with_interval(*pair) for pair in pairs)]


def _with_interval(value: float, interval) -> str:
    low, high = interval
    return f"{value:+.3f}" + (f" ({low:+.3f} to {high:+.3f})" if np.isfinite([low, high]).all() else "")


def _settings(results: Sequence[Condensation]) -> Iterable[list[str]]:
    tokens, settings = results[0].tokens, results[0].settings
    yield ["texts", escaped(f"{len(tokens)} from {settings['texts']}")]
    several = f"{tokens.min()} to {tokens.max()}" if tokens.min() < tokens.max() else f"{tokens.max()}"
    yield ["tokens", f"{tokens.sum():,} in all, {several} per text"]
    if settings["max_length"]:
        yield ["texts cut to", f"{settings['max_length']} tokens"]
    yield ["ε", f"{settings['eps']:g}"]
    for result in results:
        model = result.settings.get("model", {})
        words = [str(model[key]) for key in ("source", "weights", "quantisation", "dtype") if model.get(key)]
        if model.get("tokenizer"):
            words.append(f"cut with the tokenizer of {model['tokenizer']}")
        yield [escaped(result.name), escaped(", ".join(words))]
    versions = {"decondense": __version__} | settings.get("versions", {})
    yield ["versions", escaped(", ".join(f"{name} {version}" for name, version in versions.items()))]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Cells are Markdown already."""
    line = lambda cells: f"| {' | '.join(cells)} |"
    return [line(head), line(["---", *["---:" if len(head) > 2 else "---"] * (len(head) - 1)]), *map(line, rows)]
