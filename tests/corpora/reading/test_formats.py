"""What is JSON, a table, a chat, and which column is read."""

import csv

import pytest

from decondense.corpora.reading import formats


@pytest.mark.parametrize(
    ("head", "is_json"),
    [
        ('{"text": 1}', True), ("{}", True), (' [\n {"a"', True), ('["a"]', True), ("[[1, 2]]", True), ("[]", True),
        ("{'text': 1}", True), ("['a']", True),
        ("[1] Smith", False), ("[[File:x]]", False), ("{\\bf Bold}", False), ("text", False), ("[link](x)", False),
        ("{% if x %}", False),
    ],
)  # fmt: skip
def test_what_begins_like_json(head, is_json):
    assert formats.is_json(head) is is_json


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        ("id,text\n1,one, two\n", ","),  # the column decides, whatever the rows
        ("id\ttext\n1\tx\n", "\t"),
        ("name;age\nA;1\nB;2\n", ";"),
        ("name,age\nA,1\n", None),  # two rows say little
        ("name,age\nA,1\nB,2,3\n", None),
        ("One, two\nthree, four\nfive, six\n", None),
        ("Roses,\nviolets,\nsugar,\n", None),
        ("a,a\nb,c\nd,e\n", None),
        ("text\none\ntwo\n", None),
    ],
)
def test_what_separates_cells(head, delimiter):
    assert formats.delimiter_of(head, None) == delimiter


def test_the_column_that_is_asked_for_makes_a_table():
    assert formats.delimiter_of("id,body\n1,x\n", None) is None
    assert formats.delimiter_of("id,body\n1,x\n", "body") == ","


@pytest.mark.parametrize(
    ("value", "is_chat"),
    [
        ([{"role": "user", "content": "x"}], True),
        ([{"role": "user", "content": "x", "name": "y"}], True),
        ([{"role": "user"}], False),
        ([], False),
        ([{"role": "user", "content": "x"}, "y"], False),
        ("x", False),
    ],
)
def test_what_is_a_chat(value, is_chat):
    assert formats.is_chat(value) is is_chat


def test_long_names_of_columns_are_cut():
    with pytest.raises(ValueError, match=rf"It has: {'x' * 40}\.\.\., b\."):
        formats.pick(["x" * 99, "b"], None, "a")


def test_the_limit_on_cells_is_as_before(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"text,id\n{'x' * 300_000},1\n")
    before = csv.field_size_limit()
    with path.open() as file:
        assert [len(text) for _, text in formats.of_table(file, "a.csv", None, ",")] == [300_000]
    assert csv.field_size_limit() == before
