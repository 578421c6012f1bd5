"""`decondense measure --per-token`: which tokens lie furthest in and out of the cone, as a table and as a file."""

import warnings
from collections.abc import Mapping, Sequence

FURTHEST = 10  # tokens at each end


def measured(name: str, texts, how: Mapping) -> list:
    """`surveys.token_cosines` of a model that was just measured: its warnings on the texts were shown then."""
    from .. import surveys

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_both = {key: value for key, value in how.items() if key not in ("progress", "controls")}
        return surveys.token_cosines(name, texts, **of_both)


def furthest(found: Sequence) -> tuple[list, list]:
    """Of all tokens, pooled by their string: those furthest out of the cone at the last entry, those furthest in."""
    from ..per_token import pooled

    tokens = pooled(found)
    return tokens[:FURTHEST], tokens[::-1][:FURTHEST]


def facts(outside: Sequence, inside: Sequence) -> dict:
    """Both ends as plain data."""
    return {"furthest_out": [t._asdict() for t in outside], "furthest_in": [t._asdict() for t in inside]}


def table(tokens: Mapping[str, Sequence]):
    """A pandas table with one row for each token of each text of each model."""
    import pandas as pd

    rows = []
    for model, found in tokens.items():
        for number, text in enumerate(found):
            columns = {"model": model, "text": number, "position": range(len(text.ids)), "token": text.tokens}
            columns |= {"token_id": text.ids, "special": text.special}
            places = zip(("first", "middle", "last"), text.cosines, strict=True)
            rows.append(pd.DataFrame(columns | {f"cosine_{place}": cosines for place, cosines in places}))
    return pd.concat(rows)
