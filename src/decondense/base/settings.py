"""Values that are given as text: NAME=VALUE of an option, and variables of the environment."""

import ast
import json
import os

_OFF = ("", "0", "false", "no", "off")


def variable(name: str) -> str | None:
    """The value of a variable of the environment; `None` when it is not set, and when it is empty or blank."""
    value = os.environ.get(name, "")
    return value if value.strip() else None


def flag(name: str) -> bool:
    """Whether a variable of the environment is on: set, and neither empty nor 0, false, no or off."""
    return os.environ.get(name, "").strip().lower() not in _OFF


def named(option: str, setting: str) -> tuple[str, object]:
    """The name and the value of NAME=VALUE; the value is read as Python where possible and where JSON can hold it.

    Raises
        ValueError: no name or no sign; true or false, which as a string would both count as true.
    """
    name, sign, text = setting.partition("=")
    if not (name and sign):
        raise ValueError(f"{option} {setting}: write it as NAME=VALUE.")
    if text in ("true", "false"):
        raise ValueError(f"{option} {setting}: write {text.title()}, the value is read as Python.")
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (ValueError, SyntaxError, TypeError):
        return name, text
    return name, value
