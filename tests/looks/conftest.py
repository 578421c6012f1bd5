"""One browser for the tests of a process; they are skipped where there is none."""

import pytest
from looks import browser


@pytest.fixture(scope="session")
def tab():
    command = browser.find()
    if command is None:
        pytest.skip("no Chromium on the PATH, and DECONDENSE_CHROMIUM names none")
    with browser.tab(command) as page:
        yield page
