"""The tokens at both ends, and the table of all."""

import numpy as np
import pytest

from decondense.cli import per_token
from decondense.per_token import TokenCosines


@pytest.fixture
def found():
    """Two texts of 15 tokens: token t0 to t14 in the first, t1 to t15 in the second, cosines that rise."""
    rows = np.linspace(-1, 1, 16)
    text = lambda start: TokenCosines(
        [f"t{i}" for i in range(start, start + 15)], np.arange(start, start + 15), np.arange(15) == 0, (0, 2, 4),
        np.stack([rows[start : start + 15] * scale for scale in (0.25, 0.5, 1)]),
    )  # fmt: skip
    return [text(0), text(1)]


def test_both_ends(found):
    outside, inside = per_token.furthest(found)
    assert [t.token for t in outside] == [f"t{i}" for i in range(10)]
    assert [t.token for t in inside] == [f"t{i}" for i in range(15, 5, -1)]
    assert [t.count for t in outside[:2]] == [1, 2]
    facts = per_token.facts(outside, inside)
    assert facts["furthest_out"][0] == {"token": "t0", "count": 1, "cosine": -1.0, "special": True}


def test_table(found):
    table = per_token.table({"a": found, "b": found[:1]})
    assert table.columns.tolist() == [
        "model", "text", "position", "token", "token_id", "special", "cosine_first", "cosine_middle", "cosine_last"
    ]  # fmt: skip
    assert len(table) == 45
    row = table[(table.model == "a") & (table.text == 1) & (table.position == 14)].iloc[0]
    assert (row.token, row.token_id, row.special) == ("t15", 15, False)
    assert (row.cosine_first, row.cosine_middle, row.cosine_last) == (0.25, 0.5, 1.0)
