import os

import pytest
import torch

from decondense.base import machine


def test_device_is_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert machine.device() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.device() == "cpu"


def test_a_device_that_is_asked_for_is_there_or_refused():
    assert machine.device("cpu") == "cpu"
    for absent in ("nosuchdevice", "cuda:63"):
        with pytest.raises(ValueError, match=f"Device '{absent}' is not there .*Use device='cpu'"):
            machine.device(absent)


def test_the_name_of_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    for there, name in ((True, "Tesla T4"), (False, None)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert machine.gpu() == name


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3}, raising=False)
    assert machine.cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1
