"""Files as people have them: the right texts of each, or a refusal with the way to convert it."""

import gzip
import io
import json
import os
import random
import threading
import tracemalloc
import types
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from decondense.corpora import reading

PROSE = "One two three.\nFour five — six.\n"
ROWS = [{"text": "First, with a comma.", "label": 1}, {"text": 'A "quoted"\nline.', "label": 2}, {"text": "Third"}]
TEXTS = [row["text"] for row in ROWS]
CHAT = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
LINES = "\n".join(map(json.dumps, ROWS)) + "\n"
TABLE = 'id,text\n1,"First, with a comma."\n2,"A ""quoted""\nline."\n3,Third\n'

packed = partial(gzip.compress, mtime=0)  # without the time, so that all workers see the same cases


def parquet(columns):
    pq.write_table(pa.table(columns), buffer := io.BytesIO())
    return buffer.getvalue()


def read(folder, name, content, **how):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading.read([path], **how)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.txt", PROSE, [PROSE]),
        ("a", PROSE, [PROSE]),
        ("a.md", PROSE, [PROSE]),
        ("bom.txt", PROSE.encode("utf-8-sig"), [PROSE]),
        ("crlf.txt", PROSE.replace("\n", "\r\n"), [PROSE]),
        ("utf16.txt", PROSE.encode("utf-16"), [PROSE]),
        ("utf16be.txt", b"\xfe\xff" + PROSE.encode("utf-16-be"), [PROSE]),
        ("utf32.txt", PROSE.encode("utf-32"), [PROSE]),
        ("a.txt.gz", packed(PROSE.encode()), [PROSE]),
        ("packed.txt", packed(PROSE.encode("utf-16")), [PROSE]),
        ("brackets.txt", "[1] Smith wrote this.\n[2] Jones.", ["[1] Smith wrote this.\n[2] Jones."]),
        ("wiki.txt", "[[File:x.png]] A picture.", ["[[File:x.png]] A picture."]),
        ("verse.txt", "Red, my dear,\nBlue, my dear,\nSo are you,\n", ["Red, my dear,\nBlue, my dear,\nSo are you,\n"]),
        ("speech.txt", '"Hello," he said.\n"Hi."\n', ['"Hello," he said.\n"Hi."\n']),
        ("table.md", "name,age\nJohn,3\nMary,4\n", ["name,age\nJohn,3\nMary,4\n"]),
        *((name, LINES, TEXTS) for name in ("a.jsonl", "a.ndjson", "a.JSONL", "a.json", "a.txt", "a")),
        ("bom.jsonl", LINES.encode("utf-8-sig"), TEXTS),
        ("crlf.jsonl", LINES.replace("\n", "\r\n"), TEXTS),
        ("a.jsonl.gz", packed(LINES.encode()), TEXTS),
        ("separator.jsonl", json.dumps({"text": "a\u2028b"}, ensure_ascii=False), ["a\u2028b"]),
        ("strings.jsonl", '"one two"\n\n"three"\n', ["one two", "three"]),
        *((name, json.dumps(ROWS), TEXTS) for name in ("list.json", "list.txt", "list.jsonl", "list")),
        ("pretty.json", json.dumps(ROWS, indent=2), TEXTS),
        ("one.json", json.dumps(ROWS[0], indent=2), TEXTS[:1]),
        ("strings.json", json.dumps(TEXTS), TEXTS),
        ("chats.jsonl", 2 * (json.dumps({"messages": CHAT}) + "\n"), [CHAT, CHAT]),
        ("chats.json", json.dumps([CHAT, CHAT]), [CHAT, CHAT]),
        ("chat.json", json.dumps(CHAT), [CHAT]),
        *((name, TABLE, TEXTS) for name in ("a.csv", "A.CSV", "a.txt", "a")),
        ("excel.csv", TABLE.replace("\n", "\r\n").encode("utf-8-sig"), TEXTS),
        ("semicolon.csv", TABLE.replace(",", ";"), [TEXTS[0].replace(",", ";"), *TEXTS[1:]]),
        ("a.tsv", "id\ttext\n1\tone, two\n2\tthree\n", ["one, two", "three"]),
        ("column.csv", "text\none two\n\nthree\n", ["one two", "three"]),
        ("long.csv", f"id,text\n1,{'x' * 200_000} y\n", ["x" * (16 * 1024)]),
        ("a.csv.gz", packed(TABLE.encode()), TEXTS),
        ("a.parquet", parquet({"text": TEXTS, "label": [1, 2, 3]}), TEXTS),
        ("a", parquet({"text": TEXTS}), TEXTS),
        ("a.parquet.gz", packed(parquet({"text": TEXTS})), TEXTS),
        ("chats.parquet", parquet({"messages": [CHAT]}), [CHAT]),
        ("numbers.csv", "id,text\n1,5\n2,two and\n", ["5", "two and"]),
        ("gguf.txt", f"GGUF is a file format. {PROSE}", [f"GGUF is a file format. {PROSE}"]),
        (
            "markdown.md",
            "<p align='center'>A title</p>\n\nSome words.",
            ["<p align='center'>A title</p>\n\nSome words."],
        ),
        ("less.txt", "<p> is the price; p < q.", ["<p> is the price; p < q."]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*long.csv has about")
def test_the_texts_of_a_file(tmp_path, name, content, texts):
    assert read(tmp_path, name, content) == texts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", json.dumps({"text": "x", "body": "one two"})),
        ("a.csv", "text,body\nx,one two\n"),
        ("a.txt", "words,body\nx,one two\n"),
        ("a.parquet", parquet({"text": ["x"], "body": ["one two"]})),
    ],
)
def test_a_column_by_name(tmp_path, name, content):
    assert read(tmp_path, name, content, column="body") == ["one two"]


@pytest.mark.parametrize(
    ("name", "content", "how", "said"),
    [
        ("a.txt", "", {}, "a.txt is empty. Leave it out"),
        ("a.txt", " \n\n", {}, "is empty"),
        ("a.jsonl", "\n", {}, "is empty"),
        ("a.csv", "text\n", {}, "is empty"),
        ("a.txt", PROSE, {"column": "text"}, "is plain text and has no columns. Leave --column out"),
        ("a.txt", '"one"\n"two"\n', {}, "JSON strings on its lines, or text in quotes.*Name it .jsonl"),
        ("a.txt", "{'text': 'one two'}", {}, "line 1 is not JSON .Expecting property name"),
        ("a.txt", '{"text": "one two', {}, "line 1 is not JSON"),
        ("a.jsonl", '{"text": "x"}\n{', {}, "line 2 is not JSON .*Mend it"),
        ("a.json", '[{"text": "x"},', {}, "line 1 is not JSON"),
        ("a.json", "[" * 100_000, {}, "line 1 is not JSON .maximum recursion"),
        ("a.jsonl", '{"body": "x", "id": 1}', {}, "no column 'text'. It has: body, id. Name .* --column"),
        ("a.jsonl", '"x y"', {"column": "body"}, "has no columns. Leave --column out"),
        ("a.jsonl", '{"text": "x"}\n{"text": " "}', {}, "line 2 has no text. Leave it out"),
        ("a.jsonl", '{"text": null}\n{"text": "x"}', {}, "line 1 has no text"),
        ("a.jsonl", '{"text": 1}\n{"text": 2.5}', {}, "line 1 has a number, 1, and no text. Name .* --column"),
        ("a.json", "[[1, 2, 3], [4, 5]]", {}, "row 1 has no text"),
        ("a.json", '{"text": {"0": "one two"}}', {}, "has no text"),
        (
            "a.jsonl",
            '{"conversations": [{"from": "human", "value": "x"}]}',
            {"column": "conversations"},
            'a.jsonl is no chat: messages need "role" and "content"; found from, value. Rename them',
        ),
        (
            "a.jsonl",
            json.dumps({"text": "x", "messages": CHAT}),
            {},
            "has text and messages. Say which .*--column text",
        ),
        ("a.jsonl", '{"conversations": [{"from": "human"}]}', {}, "It has: conversations"),
        ("a.jsonl", '{"text": "a \\u0000 b"}', {}, "holds the character U.0000.*Take it out"),
        ("a.jsonl", '{"text": "a \\ud800 b"}', {}, "holds the character U.D800"),
        ("a.csv", "1,one two\n2,three\n", {}, "no column 'text'. It has: 1, one two"),
        ("a.csv", TABLE, {"column": "body"}, "no column 'body'. It has: id, text"),
        ("a.csv", TABLE, {"column": "id"}, "row 2 has a number, 1, and no text"),
        ("gaps.csv", "id,text\n1,n/a\n2,3.5\n3,4\n", {}, "row 3 has a number, 3.5, and no text"),
        ("a.csv", "id,text\n1,one, two\n", {}, "row 2 has 3 cells, the first row has 2. Put texts .* into quotes"),
        ("a.csv", 'id,text\n1,"one\n2,two\n', {}, "line 3 is no row of a table .unexpected end"),
        ("a.txt", "name,age\nJohn,3\nMary,4\n", {}, "read as a table; prose may be named .md. has no column 'text'"),
        ("a.parquet", parquet({"body": ["x"], "n": [1]}), {}, "no column 'text'. It has: body, n"),
        ("a.parquet", parquet({"text": [1, 2]}), {}, "row 1 has a number, 1, and no text"),
        ("a.parquet", parquet({"text": [[1, 2]]}), {}, "row 1 has no text"),
        ("a.parquet", parquet({"text": ["x y"]})[:-30], {}, "is a damaged Parquet file"),
        (
            "a.txt",
            "Le café était fermé.".encode("latin-1"),
            {},
            "probably WINDOWS-1252, and reads 'Le café était fermé.'",
        ),
        ("a.txt", "Le café".encode("latin-1"), {}, "iconv -f WINDOWS-1252 -t UTF-8 .*a.txt > utf8.txt"),
        (
            "a.txt",
            b"word " * 60_000 + "un café fermé".encode("latin-1"),
            {"split": True},
            "WINDOWS-1252.*'.*un café fermé'",
        ),
        ("a.txt", "é ".encode() * 60_000 + b"here \xff", {"split": True}, "is damaged UTF-8 .*é here"),
        ("a.csv", "id,text\n1,Привет мир\n".encode("cp1251"), {}, "probably WINDOWS-1251"),
        ("a.txt", b"\xff\xfea\x00b", {}, "is damaged UTF-16-LE .truncated data"),
        ("a.txt", 9 * "é".encode() + b"\xff", {}, "is damaged UTF-8 .*near 'é"),
        ("a.txt", bytes(random.Random(0).choices(range(1, 256), k=3000)), {}, "nor any other encoding known here"),
        ("a.txt.gz", packed(bytes(range(250)) * 99)[:60], {}, "a.txt.gz is a damaged gzip file"),
    ],
)
def test_what_is_refused(tmp_path, name, content, how, said):
    with pytest.raises(ValueError, match=said):
        read(tmp_path, name, content, **how)


def test_several_files_in_order_and_no_more_than_asked(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    paths[0].write_text("zero")
    paths[1].write_text(LINES)
    assert reading.read(paths) == ["zero", *TEXTS]
    assert reading.read(paths, 2) == ["zero", TEXTS[0]]
    with pytest.raises(ValueError, match=r"hold 4 texts, fewer than --n 5\. Leave --n out"):
        reading.read(paths, 5)
    with pytest.raises(FileNotFoundError, match=r"There is no file .*gone"):
        reading.read([*paths, tmp_path / "gone"], 1)


def test_a_great_many_texts_are_asked_for_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "WITHOUT_N", 2)
    with pytest.raises(ValueError, match=r"hold more than 2 texts\. Say how many to take, with --n"):
        read(tmp_path, "a.jsonl", LINES)
    assert read(tmp_path, "a.jsonl", LINES, n=3) == TEXTS


def test_standard_input_and_pipes(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(packed(LINES.encode()))))
    assert reading.read(["-"]) == TEXTS
    with pytest.raises(ValueError, match="--texts - is given twice"):
        reading.read(["-", "-"])
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[TABLE])
    writer.start()
    assert reading.read([tmp_path / "pipe"]) == TEXTS
    writer.join()


def test_what_standard_input_has_is_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(b"%PDF-1.7\n")))
    with pytest.raises(ValueError, match=r"standard input is a PDF\. Convert it: pdftotext FILE text.txt"):
        reading.read(["-"])


# --- long texts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.txt",
            "word " * 100_000,
            "a.txt has about 100,000 words, of which only the first 8 tokens .*99.9 % or more",
        ),
        ("a.txt", "word " * 12, "a.txt has about 12 words, .* are measured .33.3 % or more is left out.*--split takes"),
        ("a.txt", ("word " * 100_000).encode("utf-16"), "a.txt has about 100,000 words"),
        ("a.txt.gz", packed(b"word " * 100_000), "a.txt.gz has more than 13,108 words"),
        (
            "a.jsonl",
            '"one two"\n"' + "word " * 9 + '"',
            "1 of 2 texts of .*a.jsonl have more than 8 words: of each only",
        ),
    ],
)
def test_what_is_left_out_is_said(tmp_path, name, content, said):
    with pytest.warns(UserWarning, match=said):
        found = read(tmp_path, name, content, max_length=8)
    assert all(len(text.split()) <= 16 for text in found)
    assert read(tmp_path, "short.txt", "word " * 8, max_length=8) == ["word " * 8]  # nothing to say


def test_a_text_is_kept_as_far_as_it_can_be_measured(tmp_path):
    with pytest.warns(UserWarning, match=r"a.txt has about 40 words"):
        assert read(tmp_path, "a.txt", " ".join(f"w{i}" for i in range(40)), max_length=4) == [
            "w0 w1 w2 w3 w4 w5 w6 w7 "
        ]


def test_memory_does_not_grow_with_the_file(tmp_path):
    with (tmp_path / "a.txt").open("wb") as file:
        for _ in range(300):
            file.write(b"some words of a very long file\n" * 3500)  # 32 MB
    tracemalloc.start()
    with pytest.warns(UserWarning, match=r"about 7,350,000 words"):
        reading.read([tmp_path / "a.txt"])
    reading.read([tmp_path / "a.txt"], 3, split=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_pieces_of_a_file(tmp_path):
    words = [f"w{i}" for i in range(30)]
    text = "\n".join(words)
    found = read(tmp_path, "a.txt", text, max_length=4, split=True)
    assert [piece.split() for piece in found] == [words[:8], words[8:16], words[16:24], words[24:]]
    assert "".join(found) == text
    assert read(tmp_path, "a.txt", text, max_length=8, split=True) == ["".join(found[:2]), "".join(found[2:])]
    assert read(tmp_path, "a.txt", text, max_length=9, split=True) == [
        "\n".join(words[:18]) + "\n",
        "\n".join(words[18:]),
    ]
    assert len(read(tmp_path, "a.txt", text, max_length=14, split=True)) == 1  # two words are no piece
    assert read(tmp_path, "a.txt", text, max_length=4, split=True, n=2) == found[:2]
    with pytest.raises(ValueError, match="hold 4 pieces, fewer than --n 5"):
        read(tmp_path, "a.txt", text, max_length=4, split=True, n=5)


def test_pieces_of_rows_and_whole_chats(tmp_path):
    content = "\n".join([json.dumps("a b c d e"), json.dumps(CHAT)])
    assert read(tmp_path, "a.jsonl", content, max_length=1, split=True) == ["a b ", "c d ", "e", CHAT]
