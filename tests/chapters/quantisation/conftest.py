"""What the tests of the page share."""

import pytest
from toys import module_beside


@pytest.fixture(scope="session")
def made():
    return module_beside(__file__, "made")
