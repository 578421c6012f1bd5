"""Files are opened as they are, and folders are refused with what to give instead."""

import gzip

import pytest

from decondense.corpora.reading import opening


def test_packed_or_not_by_content(tmp_path):
    for name, content in (("a.gz", b"plain"), ("b.txt", gzip.compress(b"packed"))):
        (tmp_path / name).write_bytes(content)
    with opening.opened(tmp_path / "a.gz") as file:
        assert file.read() == b"plain"
    with opening.opened(tmp_path / "b.txt") as file:
        assert opening.seekable(file).read() == b"packed"


def test_decoding_begins_at_the_start_and_leaves_the_file_open(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\n")
    with opening.opened(tmp_path / "a") as file:
        assert opening.head_of(file) == b"\xef\xbb\xbfone\r\n"
        assert opening.size_of(file) == 8
        with opening.decoded(file, "utf-8-sig") as text:
            assert text.read() == "one\n"
        assert not file.closed


def test_folders(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder\. Name the files in it"):
        opening.check(tmp_path)
    (tmp_path / "dataset_info.json").touch()
    with pytest.raises(IsADirectoryError, match=r"is a folder of a data set\. Give it as such: --dataset"):
        opening.check(tmp_path)
