"""The embedded corpus, on a few files of the standard library."""

import sysconfig
import textwrap
from pathlib import Path

import pytest

from decondense.corpora import documentation

STDLIB = Path(sysconfig.get_paths()["stdlib"])


@pytest.mark.parametrize(
    "paragraph",
    [
        "This is a sentence that has more than eight words.",
        "It may run over\nseveral lines, as most docstrings do:",
        '"Quoted" sentences are prose as well, are they not really?',
    ],
)
def test_sentences_are_prose(paragraph):
    assert documentation.is_prose(paragraph)


@pytest.mark.parametrize(
    "paragraph",
    [
        "Too short to count.",
        "this one does not begin with a capital letter, so it is none.",
        "This one does not end as a sentence would in any language",
        "A heading of no less than eight words here:\n----------",
        ">>> This would be a doctest with eight words in it.",
        ".. note:: This is a directive with eight words or more.",
        "A table | of | words | has | bars in it.\n| a | b | c |",
        "X = f(a[0], b[1]) * {c: 2 ** d} - (e | g) ^ h & i @ j % k.",
        "",
    ],
)
def test_headings_code_and_tables_are_not(paragraph):
    assert not documentation.is_prose(paragraph)


def test_prose_is_that_of_all_docstrings(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        textwrap.dedent('''
        """The module says here what it does in two
        lines of its docstring.

        Parameters
        ----------
        """
        # This comment is a sentence of more than eight words, but a comment.
        class A:
            """The class says here what it does in eight words."""
            async def f(self):
                """The method says here what it does in eight words."""
                return "This string is a sentence of more than eight words."
        ''')
    )
    says = "says here what it does in"
    assert documentation.prose_of(path) == [
        f"The module {says} two lines of its docstring.\n",
        f"The class {says} eight words.\n",
        f"The method {says} eight words.\n",
    ]


def test_file_that_is_no_python_has_no_prose(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"def broken(:\n\x00")
    assert documentation.prose_of(path) == []


def test_source_files_are_ordered_and_hold_no_tests():
    files = documentation.source_files()
    assert STDLIB / "json" / "decoder.py" in files
    assert any("numpy" in path.parts for path in files)
    assert len(set(files)) == len(files)
    assert not any({"test", "tests", "__pycache__"} & set(path.relative_to(STDLIB).parts[:-1])
                   for path in files if path.is_relative_to(STDLIB) and "site-packages" not in path.parts)  # fmt: skip


@pytest.fixture
def few_files(monkeypatch, tmp_path):
    """Three files of the standard library, one of them twice."""
    files = [STDLIB / "json" / "decoder.py", STDLIB / "json" / "encoder.py", STDLIB / "argparse.py"]
    monkeypatch.setattr(documentation, "source_files", lambda: [*files, files[0]])
    return files


def test_paragraphs_are_distinct_in_order_and_cached(few_files, monkeypatch):
    expected = list(dict.fromkeys(p for path in few_files for p in documentation.prose_of(path)))
    first = documentation.paragraphs()
    assert len(first) > 20
    assert first == expected
    monkeypatch.setattr(documentation, "ProcessPoolExecutor", lambda **_: pytest.fail("extracted again"))
    assert documentation.paragraphs() == first


def test_other_files_are_another_corpus(few_files, monkeypatch):
    first = documentation.paragraphs()
    monkeypatch.setattr(documentation, "source_files", lambda: few_files[:1])
    assert documentation.paragraphs() == documentation.prose_of(few_files[0]) != first


def test_a_paragraph_is_one_line(few_files):
    assert all(p.endswith("\n") and p.count("\n") == 1 for p in documentation.paragraphs())
