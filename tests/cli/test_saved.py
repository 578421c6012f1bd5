"""A broken value in a file of states is named with its file, tensor and entry."""

import pytest
import torch
from safetensors.torch import save_file

from decondense.cli import saved

VLLM = "tokens,layers,features"


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_broken_value_is_named_and_nothing_is_written(value, tmp_path, recwarn):
    z = torch.randn(2, 9, 4, 16, generator=torch.Generator().manual_seed(0))
    z[1, 3, 2, 5] = value
    save_file({"a": z[0].clone(), "b": z[1].clone()}, tmp_path / "x.safetensors")
    with pytest.raises(
        ValueError, match=r"1 hidden vectors are NaN or infinite, the first in x\.safetensors: b, entry 2"
    ):
        saved.measured(tmp_path / "x.safetensors", VLLM, tmp_path / "out", False)
    assert not (tmp_path / "out").exists()
    assert not recwarn.list  # the error says it


def test_the_result_has_a_name_and_where_it_is_from(tmp_path):
    torch.save(torch.randn(9, 4, 16), tmp_path / "My.States.pt")
    result = saved.measured(tmp_path / "My.States.pt", VLLM, tmp_path / "out", False)
    assert result.name == "My.States"
    assert (tmp_path / "out" / "my.states.npz").is_file()
    assert result.settings["texts"] == "the states in My.States.pt"
    assert result.settings["model"]["dtype"] == "float32"
    assert str(tmp_path) not in str(result.settings)
