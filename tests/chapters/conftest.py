"""What the tests of all chapters share."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture
def nothing_left_open():
    """Every figure that the test made is closed at its end."""
    yield
    assert plt.get_fignums() == []
