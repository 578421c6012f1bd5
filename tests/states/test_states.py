"""States that were saved are measured as `measure` measures the model that they come from."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from toys import VOCABULARY, unchecked

from decondense import measure, states

LENGTHS = (12, 20, 33, 33, 9)


@pytest.fixture(scope="module")
def ids():
    rng = np.random.default_rng(0)
    return [rng.integers(0, VOCABULARY, length).tolist() for length in LENGTHS]


@pytest.fixture(scope="module")
def hidden(tiny_gpt2, ids):
    """Hugging Face's `hidden_states` of each text: a tuple of (1, tokens, features)."""
    with torch.no_grad():
        return [tiny_gpt2(torch.tensor([text]), output_hidden_states=True).hidden_states for text in ids]


@pytest.fixture(scope="module")
def vllm(hidden):
    """The same as vLLM's extractor orders them: (tokens, layers, features)."""
    return [torch.cat(layers).transpose(0, 1).contiguous() for layers in hidden]


@pytest.fixture(scope="module")
def expected(tiny_gpt2, ids):
    with pytest.warns(UserWarning, match="shorter than max_length"):
        return measure(tiny_gpt2, None, ids, max_length=64, progress=False)


def assert_same(found, expected, atol=1e-6):
    assert found.tokens.tolist() == expected.tokens.tolist()
    for name in ("mu_per_text", "mu_off_diagonal_per_text"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=atol)
    moved = np.abs(np.cumsum(found.histogram - expected.histogram, 1)) * 2 / 128 * (np.array(LENGTHS) ** 2).sum()
    assert moved.max() <= 8  # pairs that rounding put over the edge of a bin
    assert found.zero_vectors.tolist() == expected.zero_vectors.tolist()
    assert found.nonfinite_vectors.tolist() == expected.nonfinite_vectors.tolist()
    assert found.settings == expected.settings | {"max_length": None}
    assert found.rho == pytest.approx(expected.rho)
    np.testing.assert_allclose(found.rho_interval, expected.rho_interval)


def measured(what, **how):
    return states.measure_states(what, progress=False, **how)


def test_states_give_what_the_model_gives(hidden, expected):
    assert_same(measured(torch.cat(layers) for layers in hidden), expected)
    assert_same(measured([torch.cat(layers).numpy() for layers in hidden]), expected)


def _vllm_folder(path, hidden, vllm, ids):
    for number, (text, z) in enumerate(zip(ids, vllm, strict=True)):
        save_file({"hidden_states": z, "token_ids": torch.tensor(text)}, path / f"{number}-a1.safetensors")
        (path / f"{number}-a1.safetensors.lock").touch()
    return "tokens,layers,features", "inferred from the ids"


def _one_file(path, hidden, vllm, ids):
    save_file({f"text{number}": z for number, z in enumerate(vllm)}, path / "all.safetensors")
    return "tokens,layers,features", "inferred from the sizes"


def _pt(path, hidden, vllm, ids):
    for number, layers in enumerate(hidden):
        torch.save({"hidden_states": layers, "model": "tiny"}, path / f"text{number}.pt")
    return "layers,batch,tokens,features", "the layers are arrays of their own"


def _npz(path, hidden, vllm, ids):
    for number, layers in enumerate(hidden):
        np.savez_compressed(path / f"text{number}.npz", *[layer[0].numpy() for layer in layers])
    return "layers,tokens,features", "the layers are arrays of their own"


def _npy(path, hidden, vllm, ids):
    for number, layers in enumerate(hidden):
        np.save(path / f"text{number}.npy", torch.stack(layers).numpy())
    return "layers,batch,tokens,features", "inferred from the sizes"


@pytest.mark.parametrize("save", [_vllm_folder, _one_file, _pt, _npz, _npy])
def test_files_give_what_the_model_gives(save, tmp_path, hidden, vllm, ids, expected):
    order, told_by = save(tmp_path, hidden, vllm, ids)
    found = states.read(tmp_path)
    assert (",".join(found.order), found.told_by, len(found)) == (order, told_by, len(ids))
    assert found.dtype == "float32"
    assert_same(measured(found), expected)


def test_texts_are_in_the_order_of_numbers_in_their_names(tmp_path, vllm, expected):
    for number, z in zip((1, 2, 9, 10, 100), vllm, strict=True):
        save_file({"hidden_states": z}, tmp_path / f"text{number}.safetensors")
    found = states.read(tmp_path)
    assert found.names == [f"text{number}.safetensors" for number in (1, 2, 9, 10, 100)]
    assert_same(measured(found), expected)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_batch_is_measured_without_its_padding(side, tmp_path, hidden, expected):
    longest = max(LENGTHS)
    stacked = torch.full((len(hidden[0]), len(LENGTHS), longest, hidden[0][0].shape[-1]), 7.0)
    mask = torch.zeros(len(LENGTHS), longest, dtype=torch.long)
    for row, (layers, length) in enumerate(zip(hidden, LENGTHS, strict=True)):
        place = slice(0, length) if side == "right" else slice(longest - length, longest)
        stacked[:, row, place], mask[row, place] = torch.cat(layers), 1
    torch.save({"hidden_states": tuple(stacked), "attention_mask": mask}, tmp_path / "batch.pt")
    found = states.read(tmp_path / "batch.pt")
    assert found.names[1] == "batch.pt, row 1"
    assert_same(measured(found), expected)
    save_file({"hidden_states": stacked, "attention_mask": mask}, tmp_path / "batch.safetensors")
    assert_same(
        measured(states.read(tmp_path / "batch.safetensors", ("layers", "batch", "tokens", "features"))), expected
    )


def test_half_precision_is_measured_as_it_is(tmp_path, vllm):
    halves = {f"t{number}": z.bfloat16() for number, z in enumerate(vllm)}
    save_file(halves, tmp_path / "half.safetensors")
    found = states.read(tmp_path / "half.safetensors")
    assert found.dtype == "bfloat16"
    exact = measured(z.float().transpose(0, 1) for z in halves.values())
    np.testing.assert_allclose(measured(found).mu_per_text, exact.mu_per_text, atol=1e-7)


@pytest.mark.parametrize(
    ("dtypes", "coarsest"),
    [
        ((torch.float16, torch.bfloat16), "bfloat16"),
        ((torch.bfloat16, torch.float16), "bfloat16"),
        ((torch.float32, torch.float16), "float16"),
        ((torch.bfloat16, torch.float8_e4m3fn), "float8_e4m3fn"),
    ],
)
def test_the_resolution_is_that_of_the_coarsest_states(dtypes, coarsest, vllm):
    found = measured(z.float().transpose(0, 1).to(dtype) for z, dtype in zip(vllm, dtypes, strict=False))
    assert found.dtype == coarsest
    assert found.resolution == (1e-3 if coarsest == "float16" else 1e-2)


def test_one_text_at_a_time(vllm):
    alive = []

    def one_by_one():
        for z in vllm:
            assert not alive, "the text before is still held"
            alive.append(True)
            yield z.transpose(0, 1)
            alive.clear()

    assert measured(one_by_one()).mu.shape == (4,)


def test_averaged_histogram(hidden):
    alike = [torch.cat(layers)[:, :9] for layers in hidden]
    found = measured(alike, histogram="averaged", bins=16)
    unit = torch.stack(alike).double()
    unit /= unit.norm(dim=-1, keepdim=True)
    cosines = (unit @ unit.mT).mean(0)
    for entry, density in enumerate(found.histogram):
        exact = np.histogram(cosines[entry].clamp(-1, 1), 16, (-1, 1), density=True)[0]
        assert np.abs(np.cumsum(density - exact)).max() * 2 / 16 * 81 <= 2 + 1e-6


def test_nan_is_reported_at_its_text_and_entry(hidden):
    broken = [torch.cat(layers).clone() for layers in hidden]
    broken[3][2, 5, 0] = torch.nan
    with pytest.warns(UserWarning, match="NaN or infinite hidden vectors \\(entry 2: 1\\)"):
        found = measured(broken)
    assert np.argwhere(np.isnan(found.mu_per_text)).tolist() == [[3, 2]]
    assert found.nonfinite_vectors.tolist() == [0, 0, 1, 0]


Z = torch.randn(3, 8, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("given", "how", "said"),
    [
        ([], {}, "No hidden states given"),
        ([Z.long()], {}, r"a torch.int64 of shape \(3, 8, 16\); give floating point"),
        ([Z[0]], {}, r"of shape \(8, 16\); give floating point numbers of shape \(entries, tokens, features\)"),
        ([Z, Z[:, :1]], {}, r"Text 1 has 1 token\(s\)"),
        ([Z, Z[:2]], {}, "Text 1 has 2 entries of 16 features, text 0 has 3 of 16"),
        ([Z, Z[..., :4]], {}, "Text 1 has 3 entries of 4 features"),
        ([Z[:0]], {}, "there is nothing to measure"),
        ([Z, Z[:, :4]], {"histogram": "averaged"}, "text 1 has 4, text 0 8"),
        ([Z], {"bins": 0}, "bins at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(given, how, said):
    with pytest.raises(ValueError, match=said):
        unchecked(states.measure_states)(given, progress=False, **how)
