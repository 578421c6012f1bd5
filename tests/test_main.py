"""`python -m decondense` where its extra is missing."""

import json
import sys

import pytest

from decondense import __main__


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_its_extra_it_says_so_also_as_json(monkeypatch, capsys, options):
    monkeypatch.setitem(sys.modules, "decondense.cli.app", None)  # as if it could not be imported
    monkeypatch.setattr(sys, "argv", ["decondense", "measure", "gpt2", *options])
    with pytest.raises(SystemExit) as stopped:
        __main__.main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.err.startswith("error: ")
    said = {"error": printed.err.removeprefix("error: ").strip(), "status": 2}
    assert (json.loads(printed.out) if options else printed.out) == (said if options else "")
