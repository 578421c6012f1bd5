"""Archives of arrays: nothing is unpacked that cannot be what it says."""

import io
import zipfile
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from decondense.base.archives import read_arrays


def test_arrays_are_those_that_were_saved(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.asfortranarray(np.ones((2, 2), int))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = read_arrays(tmp_path / "x.npz")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


def npy(shape, content=b"", descr="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


@pytest.mark.parametrize("shape", [(10**12,), (2,), (-1,), (10**9, 10**9)])
def test_an_array_shorter_than_it_says_is_not_made(tmp_path, shape):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", npy(shape, bytes(8)))
    with pytest.raises(ValueError, match=r"array a\.npy is not as long as it says|invalid"):
        read_arrays(tmp_path / "x.npz")


def test_objects_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="holds objects"):
        read_arrays(tmp_path / "x.npz")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """40 MB of zeros in 40 kB, where 30 MB are free."""
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(5_000_000))
    assert (tmp_path / "x.npz").stat().st_size < 100_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=30_000_000))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(MemoryError, match=r"holds 0\.0 GiB of arrays, 0\.0 GiB of memory are free"):
        read_arrays(tmp_path / "x.npz")
