"""What files hold, in every format; damage, pickles and what else cannot be read."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from decondense.states import files

Z = torch.randn(3, 8, 16, generator=torch.Generator().manual_seed(0))


class Anything:
    """What only a pickle can hold."""


def stacked(held):
    return torch.stack([array.load() for array in held.arrays])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_numpy(dtype, ending, tmp_path):
    array = Z.numpy().astype(dtype)
    np.save(tmp_path / "x.npy", array) if ending == "npy" else np.savez(tmp_path / "x.npz", states=array)
    (held,) = files.held(tmp_path / f"x.{ending}")
    assert held.arrays[0].shape == (3, 8, 16)
    np.testing.assert_array_equal(held.arrays[0].load().numpy(), array)


def test_several_texts_of_an_archive_are_read_one_by_one(tmp_path):
    np.savez(tmp_path / "x.npz", text10=Z.numpy(), text2=Z[:, :5].numpy())
    found = list(files.held(tmp_path / "x.npz"))
    assert [(held.name, held.arrays[0].shape) for held in found] == [
        ("x.npz: text2", (3, 5, 16)),
        ("x.npz: text10", (3, 8, 16)),
    ]
    np.testing.assert_array_equal(found[1].arrays[0].load(), Z)


def test_old_files_of_torch(tmp_path):
    torch.save(list(Z), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    (held,) = files.held(tmp_path / "x.pt")
    assert held.layered
    torch.testing.assert_close(stacked(held), Z)


@pytest.mark.parametrize(
    "names",
    [
        ["layer0", "layer2", "layer10"],
        ["model.layers.1.out", "model.layers.2.out", "model.layers.30.out"],
        ["h-1", "h-2", "h-3"],
        [0, 1, 2],
    ],
)
def test_layers_are_in_the_order_of_their_numbers(names, tmp_path):
    torch.save(dict(reversed(list(zip(names, Z, strict=True)))), tmp_path / "x.pt")
    (held,) = files.held(tmp_path / "x.pt")
    assert held.layered
    torch.testing.assert_close(stacked(held), Z)


@pytest.mark.parametrize(
    "names",
    [
        ["embedding", "layer1", "norm"],
        ["layer1", "layer01", "layer2"],
        ["block1.layer1", "block1.layer2", "block2.layer1"],
        ["layer_-1", "layer_-2", "layer_-3"],
        [-1, -2, -3],
    ],
)
def test_layers_without_an_order_are_refused(names, tmp_path):
    torch.save(dict(zip(names, Z, strict=True)), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"x\.pt: their names do not give the order of the layers"):
        list(files.held(tmp_path / "x.pt"))


def test_what_is_beside_the_states(tmp_path):
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0]])
    content = {"hidden_states": list(Z[:, None]), "attention_mask": mask, "logits": torch.zeros(8, 9), "text": "a b"}
    torch.save(content, tmp_path / "x.pt")
    (held,) = files.held(tmp_path / "x.pt")
    assert (held.tokens, held.layered) == (8, True)
    torch.testing.assert_close(held.mask, mask)
    save_file({"z": Z, "input_ids": torch.arange(8)[None]}, tmp_path / "x.safetensors")
    (held,) = files.held(tmp_path / "x.safetensors")
    assert (held.name, held.tokens) == ("x.safetensors: z", 8)


def test_paths(tmp_path):
    for name in ("b10.pt", "b9.pt", "a.NPZ", "b9.pt.lock", ".DS_Store"):
        (tmp_path / name).touch()
    assert [path.name for path in files.paths(tmp_path)] == ["a.NPZ", "b9.pt", "b10.pt"]
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"notes\.txt is no file of hidden states"):
        files.paths(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        files.paths(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is empty"):
        files.paths(tmp_path / "empty")


CONTENTS = {  # of a .pt file
    "x.pt is int64: hidden states are floating point": Z.long(),
    "x.pt is complex64": Z.to(torch.complex64),
    "x.pt: a is bool": {"a": Z > 0},
    "holds a list where states are looked for": {"hidden_states": [list(Z), list(Z)]},  # of `generate`
    "holds a str where states are looked for": {"name": "gpt2"},
    "holds nothing": {"hidden_states": []},
    "holds no hidden states": {"input_ids": torch.arange(8)},
    "a list of arrays of 5 x 16, 8 x 16": [Z[0], Z[1, :5]],
    "a list of arrays of 1 x 1 x 8 x 16": [Z[:1, None], Z[1:2, None]],
    "holds a pickle of more than arrays, which could run code: it is not opened": {"hidden_states": Anything()},
}


@pytest.mark.parametrize("said", CONTENTS)
def test_other_contents_are_refused(said, tmp_path):
    torch.save(CONTENTS[said], tmp_path / "x.pt")
    with pytest.raises(ValueError, match=said):
        list(files.held(tmp_path / "x.pt"))


@pytest.mark.parametrize("ending", ["pt", "npy", "npz"])
def test_no_pickle_is_run(ending, tmp_path):
    class Runs:
        def __reduce__(self):
            return (tmp_path.joinpath("was run").touch, ())

    (tmp_path / f"x.{ending}").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(ValueError, match="a pickle of more than arrays"):
        list(files.held(tmp_path / f"x.{ending}"))
    np.save(tmp_path / "o.npy", np.array([Runs()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="a pickle of more than arrays"):
        list(files.held(tmp_path / "o.npy"))
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("ending", ["safetensors", "pt", "npy", "npz"])
@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.95])
def test_a_file_cut_short_is_one_line(ending, share, tmp_path):
    path = tmp_path / f"x.{ending}"
    {
        "safetensors": lambda: save_file({"z": Z}, path),
        "pt": lambda: torch.save(Z, path),
        "npy": lambda: np.save(path, Z.numpy()),
        "npz": lambda: np.savez(path, z=Z.numpy()),
    }[ending]()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=rf"x\.{ending} is damaged, cut short, or no \.{ending} file") as error:
        [array.load() for held in files.held(path) for array in held.arrays]
    assert "\n" not in str(error.value)


def test_damage_within_an_archive(tmp_path):
    np.savez(tmp_path / "x.npz", z=Z.repeat(1, 100, 1).numpy())
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[len(data) // 2] ^= 255  # of the values
    (tmp_path / "x.npz").write_bytes(data)
    (held,) = files.held(tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"x\.npz is damaged"):
        held.arrays[0].load()
