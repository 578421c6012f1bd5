"""What the claims of an audit must hold, whichever page makes them."""

import json
from collections.abc import Sequence

from decondense import records
from decondense.paper.claims import EXPERIMENT, Claim
from decondense.paper.verdicts import BADGES


def are_whole(found: Sequence[Claim]) -> None:
    """No claim is made twice; each has all its texts, none with a missing number, and a verdict; none is measured."""
    assert len({(claim.claim, claim.source) for claim in found}) == len(found)
    for claim in found:
        texts = claim.as_dict()
        assert texts.pop("repeats") is not None
        assert texts.pop("tests") >= 0
        assert all(isinstance(text, str) and text for text in texts.values())
        assert texts["kind"] != EXPERIMENT  # nothing is measured here
        assert claim.verdict.word in BADGES
        assert "nan" not in " ".join(texts.values())


def committed(page: str) -> list[dict]:
    """The claims of a page's committed run."""
    path = records.committed_folder() / f"verdicts-{page}.json"
    return json.loads(path.read_text(encoding="utf-8"))["claims"]
