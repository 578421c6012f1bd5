"""The models of `families.toml` under their ids, tiny and with random weights, in the layouts of the hub."""

import json
import tempfile
from functools import cache, partial
from pathlib import Path

import torch
import transformers
from standin.data import WORDS
from standin.server import Repository
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from decondense.models import catalogue

END = "<|endoftext|>"
SHARDED_FROM = 5_000_000_000  # parameters: what the hub has in several files
WIDTH, HEADS = 32, 2
ENTRIES, PADDED = 640, 800  # of the tokenizer; of the embedding, which is padded but for GPT-2 and Bloom
TINY = {
    "GPT2Config": {"n_embd": WIDTH, "n_head": HEADS, "vocab_size": ENTRIES},
    "BloomConfig": {"hidden_size": WIDTH, "n_head": HEADS, "vocab_size": ENTRIES},
}
SHAPE = {
    "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": HEADS, "vocab_size": PADDED,
}  # fmt: skip
# The table has no architecture of these: as their authors published them.
QWEN2 = {"architecture": "Qwen2Config", "config": {"max_position_embeddings": 32768}}
UNTIED = {"deepseek-r1-distill-qwen-7b", "deepseek-r1-distill-qwen-14b", "deepseek-r1-distill-qwen-32b"}
UNTIED |= {"deepseek-r1-distill-qwen-1.5b", "qwen2.5-math-7b"}
# The class that tokenizer_config.json names, and where the family has its end of text.
TOKENIZERS = {"GPT2Config": "GPT2Tokenizer", "BloomConfig": "BloomTokenizerFast", "Qwen2Config": "Qwen2Tokenizer"}
TOKENIZERS |= {"Qwen3Config": "Qwen2Tokenizer", "Olmo3Config": "GPT2Tokenizer"}
OWN_CODE = {
    f"{part}_qwen.py": b"raise SystemExit('code of a repository was run')\n"
    for part in ("configuration", "modeling", "tokenization")
}
CHECKPOINTS = {"olmo-3-7b"}


def shape(name: str) -> dict:
    """Architecture, its arguments and the depth of a tiny model in the place of a known one."""
    known = catalogue.table()[name]
    known = known if "architecture" in known else known | QWEN2 | {"parameters": 10**9 * (5 * (name in UNTIED))}
    config = known["config"]
    kept = {
        key: config[key] for key in ("max_position_embeddings", "architectures", "tie_word_embeddings") if key in config
    }
    kept |= {"tie_word_embeddings": False} if name in UNTIED else {}
    small = dict(TINY.get(known["architecture"], SHAPE))
    small |= {key: HEADS for key in ("num_key_value_heads",) if key in config or "Qwen2" in known["architecture"]}
    small |= {key: WIDTH // HEADS for key in ("head_dim",) if key in config}
    depth = next((value for key, value in config.items() if key in ("n_layer", "num_hidden_layers")), 12)
    layers = "n_layer" if known["architecture"] in TINY else "num_hidden_layers"
    return {"architecture": known["architecture"], "config": kept | small | {layers: 2 + depth // 24}}


@cache
def backend() -> str:
    """A byte-level tokenizer of a few hundred entries, as the JSON of `tokenizers`."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    how = {"vocab_size": ENTRIES, "special_tokens": [END], "initial_alphabet": alphabet, "show_progress": False}
    made.train_from_iterator([f" {word}" for word in WORDS], trainers.BpeTrainer(**how))
    return made.to_str()


def tokenizer(kind: str) -> dict[str, bytes]:
    parts = json.loads(backend())["model"]
    merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in parts["merges"])])
    config = {"tokenizer_class": TOKENIZERS.get(kind, "PreTrainedTokenizerFast"), "model_max_length": 32768}
    config |= {"bos_token": END, "eos_token": END, "unk_token": END, "pad_token": END}
    return {
        "tokenizer.json": backend().encode(),
        "tokenizer_config.json": json.dumps(config).encode(),
        "vocab.json": json.dumps(parts["vocab"]).encode(),
        "merges.txt": merges.encode(),
    }


def files(name: str, seed: int = 0) -> dict[str, bytes]:
    """The repository of a model: one file of weights or several with their index, and its tokenizer."""
    what, known = shape(name), catalogue.table()[name]
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    config = getattr(transformers, what["architecture"])(**what["config"], **ends)
    trunk = "Model" in str(config.architectures)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kind = transformers.AutoModel if trunk else transformers.AutoModelForCausalLM
        model = kind.from_config(config)
    large = known.get("parameters", 5e9 * (name in UNTIED)) >= SHARDED_FROM
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size=60_000 if large else "5GB")
        made = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return {**made, **tokenizer(what["architecture"]), "README.md": b"# A model\n"}


def with_own_code() -> dict[str, bytes]:
    """Qwen1: its classes are code in the repository, which nothing may run, or even fetch."""
    of_class = {"AutoConfig": "configuration_qwen.QWenConfig", "AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel"}
    config = {"model_type": "qwen", "architectures": ["QWenLMHeadModel"], "auto_map": of_class}
    cutter = {
        "tokenizer_class": "QWenTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_qwen.QWenTokenizer", None]},
    }
    plain = {"config.json": config, "tokenizer_config.json": cutter}
    return {**{name: json.dumps(value).encode() for name, value in plain.items()}, **OWN_CODE}


def repositories(checkpoints: list[str]) -> dict[tuple[str, str], Repository]:
    """All models of the table; `checkpoints` are the branches of Olmo-3 beside main."""
    made = {}
    for name, known in catalogue.table().items():
        main = with_own_code if known.get("remote_code") else partial(files, name)
        branches = checkpoints if name in CHECKPOINTS else []
        others = {branch: partial(files, name, seed) for seed, branch in enumerate(branches, start=1)}
        made["models", known["hub"]] = Repository({"main": main, **others})
    return made
