"""What the tests of the page share."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("made_anticollapse", Path(__file__).with_name("made.py"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


@pytest.fixture(scope="session")
def made_training():
    return module
