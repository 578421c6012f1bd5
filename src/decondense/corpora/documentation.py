"""The embedded corpus: English prose from the docstrings of packages that are installed anyway. No download.

Technical and repetitive, about 8 MB; it serves where no other text is available (the `ci` profile), and to train the
pocket models. Its hash changes with the installed versions, so it is part of every record.
"""

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

from ..base.files import cache_dir, require_writable, sha256, write_atomically

PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "sympy", "torch")  # and the standard library
_SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "__pycache__", "idlelib", "lib2to3"}
_RULED = re.compile(r"^\s*([-=~^*+#|>.]{3,}|>>>|\.\. |:|\+-|\|)", re.MULTILINE)  # rules, doctests, directives, tables
_PROSE = re.compile(r"^[A-Z\"'`(*][^\n]*[a-z]{2,}.*[.!?:]\s*$", re.DOTALL)


def source_files() -> list[Path]:
    """The Python files that the corpus is taken from, in a fixed order."""
    roots = [Path(sysconfig.get_paths()["stdlib"])]
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            roots.append(Path(spec.origin).parent)
    return [
        path
        for root in roots
        for path in sorted(root.rglob("*.py"))
        if not _SKIPPED_FOLDERS.intersection(path.relative_to(root).parts)
    ]


def prose_of(path: Path) -> list[str]:
    """The paragraphs of prose in the docstrings of one file, parsed (never imported), each ending in a newline."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # templates and files for another Python
        return []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
    paragraphs = chain.from_iterable(re.split(r"\n\s*\n", inspect.cleandoc(t)) for t in texts if t)
    return [" ".join(p.split()) + "\n" for p in paragraphs if is_prose(p)]


def is_prose(paragraph: str) -> bool:
    """Whether a paragraph of a docstring reads as sentences: eight words or more, mostly letters, no table or code."""
    if _RULED.search(paragraph) or not _PROSE.match(paragraph.strip()):
        return False
    letters = sum(c.isalpha() or c.isspace() for c in paragraph)
    return len(paragraph.split()) >= 8 and letters > 0.85 * len(paragraph)


def paragraphs() -> list[str]:
    """All distinct paragraphs of the embedded corpus; extracted once on all cores (20 s on two), then cached."""
    files = source_files()
    state = "\n".join(f"{path}:{path.stat().st_size}" for path in files)
    key = sha256(state + Path(__file__).read_text(encoding="utf-8"))[:16]
    path = cache_dir() / "corpora" / f"documentation-{key}.txt"
    if not path.exists():
        # In a process of its own: a pool inside a notebook's or a caller's process would fork its threads, or run the
        # caller's script again.
        require_writable(path.parent)
        quiet = "ignore::RuntimeWarning:runpy"  # the room imports this module before it is run
        command = [sys.executable, "-W", quiet, "-m", "decondense.corpora.documentation", str(path)]
        subprocess.run(command, input="\n".join(map(str, files)), text=True, check=True)
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def reference() -> list[str]:
    """The paragraphs of the Python language reference that `help()` shows, 0.4 MB; parsed, never imported."""
    tree = ast.parse((Path(sysconfig.get_paths()["stdlib"]) / "pydoc_data" / "topics.py").read_bytes())
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    found = chain.from_iterable(re.split(r"\n\s*\n", text) for text in texts)
    return list(dict.fromkeys(" ".join(p.split()) + "\n" for p in found if is_prose(p)))


def extract(files: list[Path], target: Path) -> None:
    """Write the distinct paragraphs of prose of all `files` to `target`, on all cores."""
    with ProcessPoolExecutor() as pool:
        found = chain.from_iterable(pool.map(prose_of, files, chunksize=32))
        write_atomically(target, "".join(dict.fromkeys(found)))


if __name__ == "__main__":
    extract([Path(line) for line in sys.stdin.read().splitlines()], Path(sys.argv[1]))
