"""NAME=VALUE, as options take it, and variables that are on or off."""

import pytest

from decondense.base.settings import flag, named, variable


@pytest.mark.parametrize(
    ("value", "on"), [("1", True), ("yes", True), *((v, False) for v in ("", "0", "False", "off"))]
)
def test_a_variable_is_on_or_off(monkeypatch, value, on):
    monkeypatch.setenv("DECONDENSE_DEBUG", value)
    assert flag("DECONDENSE_DEBUG") is on
    monkeypatch.delenv("DECONDENSE_DEBUG")
    assert not flag("DECONDENSE_DEBUG")


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


@pytest.mark.parametrize(("value", "read"), [(None, None), ("", None), ("  ", None), ("a b", "a b"), ("0", "0")])
def test_a_variable_that_is_empty_is_not_set(monkeypatch, value, read):
    monkeypatch.delenv("DECONDENSE_TOY", raising=False)
    if value is not None:
        monkeypatch.setenv("DECONDENSE_TOY", value)
    assert variable("DECONDENSE_TOY") == read
