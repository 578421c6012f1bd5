"""The dispersion loss in one file that needs torch alone, made from the sources of this library.

python -m decondense.book.standalone        # writes src/decondense/standalone.py anew
"""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from .. import __version__
from ..base.files import repository_root

MODULES = (
    "losses/batch", "losses/documents", "losses/centre", "losses/pairs", "losses/expansion", "losses/repulsion",
    "metrics",
)  # fmt: skip
WANTED = ("dispersion", "document_ids", "document_ids_from_lengths", "has_pairs", "mean_cosine", "residual_stream")
HEADER = '''"""The dispersion loss against embedding condensation, in one file that needs torch alone. Copy it.

    with residual_stream(model.transformer.h) as stream:             # the list of blocks, of a model not compiled
        loss = model(inputs, targets)
    spread = torch.stack([dispersion(stream[l], subsample=256) for l in range(1, len(stream))]).mean()
    (loss + 0.1 * spread).backward()
    mean_cosine(stream[6].detach()).all_pairs                        # how condensed the texts are at entry 6

Pads are left out by `mask`; packed rows are separated by `document_ids`. Where no sequence has two tokens `dispersion`
raises: ask `has_pairs` first. From decondense {version} by `python -m decondense.book.standalone`: change it there.

{licence}
"""
'''
ALIASES = {"DocumentIds", "Hidden", "Mask", "Scalar"}  # shapes by name; without jaxtyping they are tensors
_SHAPES = re.compile(rf'\b(?:Bool|Float|Int)\[Tensor, "[^"]*"\]|\b(?:{"|".join(sorted(ALIASES))})\b')


class _Part(NamedTuple):
    names: set[str]
    source: str
    uses: set[str]


@contextmanager
def residual_stream(
    blocks: nn.ModuleList | Sequence[nn.Module],
    norm: nn.Module | None = None,
    reduce: Callable[[int, Tensor], Any] | None = None,
) -> Iterator[dict[int, Any]]:
    """The residual stream of the forward pass inside the context: entry l -> hidden states (batch, tokens, features).

    Entry 0 is the input of the first of the L blocks, entry l the input of block l + 1, and entry L the output of
    `norm`, the final norm, or without one that of the last block. With `reduce` the dictionary holds
    `reduce(entry, hidden)` in place of the hidden states.

    Raises
        RuntimeError: when the context closes, an entry did not arrive, as from a model that was compiled before.
    """
    found: dict[int, Any] = {}

    def keep(entry: int, hidden: Tensor) -> None:
        found[entry] = hidden if reduce is None else reduce(entry, hidden)

    def on_input(entry: int) -> Callable[..., None]:
        return lambda _module, args, kwargs: keep(entry, args[0] if args else kwargs["hidden_states"])

    def on_output(_module, _args, output) -> None:
        keep(len(blocks), output[0] if isinstance(output, tuple) else output)

    last = blocks[-1] if norm is None else norm
    handles = [block.register_forward_pre_hook(on_input(i), with_kwargs=True) for i, block in enumerate(blocks)]
    handles.append(last.register_forward_hook(on_output))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    if len(found) <= len(blocks):
        raise RuntimeError(
            f"{len(found)} of {len(blocks) + 1} entries arrived. Run a forward pass of these very blocks inside the "
            "context, of a model that was not compiled before."
        )


def text() -> str:
    """What standalone.py must hold: the wanted functions, all that they use, and the imports of these.

    Raises
        ValueError: two modules define one name.
    """
    root = repository_root()
    imports: dict[str, str] = {}
    parts: dict[str, _Part] = {}
    for path in [*(root / "src" / "decondense" / f"{module}.py" for module in MODULES), Path(__file__)]:
        for part in _parts(ast.parse(source := path.read_text(encoding="utf-8")), source.splitlines(), imports):
            for name in part.names:
                if parts.setdefault(name, part) is not part:
                    raise ValueError(f"Two modules of the standalone file define {name}: rename one.")
    body = "\n".join(_SHAPES.sub("Tensor", source) for source in _with_what_they_use(parts))
    licence = (root / "LICENSE").read_text(encoding="utf-8").strip()
    words = set(re.findall(r"\w+", body))
    used = sorted({line for name, line in imports.items() if name in words}, key=lambda line: ("torch" in line, line))
    return HEADER.format(version=__version__, licence=licence) + "\n".join(["", *used, "", body])


def _with_what_they_use(parts: dict[str, _Part]) -> list[str]:
    """The sources of the wanted definitions and of all that these use, in the order of the modules."""
    needed, waiting = set(), list(WANTED)
    while waiting:
        name = waiting.pop()
        if name in parts and name not in needed:
            needed.add(name)
            waiting += parts[name].uses
    return list(dict.fromkeys(part.source for name, part in parts.items() if name in needed))


def _parts(tree: ast.Module, lines: list[str], imports: dict[str, str]) -> Iterator[_Part]:
    """The top-level definitions of a module; its imports, but for the library's own, go to `imports` by name."""
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom(level=0):
                for alias in node.names:
                    one = (
                        ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], 0)
                    )
                    imports[alias.asname or alias.name] = ast.unparse(one)
            case ast.FunctionDef() | ast.ClassDef():
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                source = "\n".join(["", *lines[first - 1 : node.end_lineno], ""])
                yield _Part({node.name}, source, _names(node))
            case ast.Assign():
                names = set().union(*map(_names, node.targets))
                if not names & ALIASES:
                    yield _Part(names, "\n".join(lines[node.lineno - 1 : node.end_lineno]), _names(node.value))


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def main() -> None:
    path = repository_root() / "src" / "decondense" / "standalone.py"
    path.write_text(text(), encoding="utf-8")
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
