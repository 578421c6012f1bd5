"""What the tests of the page share."""

import pytest
from toys import module_beside

from decondense.chapters.resist import readings


@pytest.fixture(scope="session")
def made():
    return module_beside(__file__, "made")


@pytest.fixture
def numbers(monkeypatch):
    """Each run has the geometry that it says: the parts are shares of μ."""
    monkeypatch.setitem(readings.QUANTITIES, readings.LATE, lambda run: run.results["late"])
    for part, share in (("within", 0.75), ("between", 0.25)):
        quantity = lambda run, share=share: share * run.results["late"]
        monkeypatch.setitem(readings.QUANTITIES, f"{part}, late half", quantity)
