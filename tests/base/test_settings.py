"""NAME=VALUE, as options take it."""

import pytest

from decondense.base.settings import named


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("a=1", 1),
        ("a=[1, 2]", [1, 2]),
        ("a='b'", "b"),
        ("a=b", "b"),
        ("a=True", True),
        ("a={1}", "{1}"),
        ("a=b=c", "b=c"),
    ],
)
def test_name_and_value(setting, value):
    assert named("--set", setting) == ("a", value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [("a", "write it as NAME=VALUE"), ("=1", "write it as"), ("a=true", "write True"), ("a=false", "False")],
)
def test_no_name_and_value(setting, said):
    with pytest.raises(ValueError, match=f"--set {setting}: .*{said}"):
        named("--set", setting)
