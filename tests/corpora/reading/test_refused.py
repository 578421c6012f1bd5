"""What holds no text is known by its first bytes, whatever its name, and the refusal says how to convert it."""

import gzip
import io
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save

from decondense.corpora import reading

packed = partial(gzip.compress, mtime=0)  # without the time, so that all workers see the same cases


def archive(*names):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        for name in names:
            file.writestr(name, "x")
    return buffer.getvalue()


def saved(function, value):
    function(buffer := io.BytesIO(), value)
    return buffer.getvalue()


def of_torch(value, **how):
    torch.save(value, buffer := io.BytesIO(), **how)
    return buffer.getvalue()


STATES = "give hidden states with --states, weights as a model's folder"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.4\n<< /Type /Catalog >>\nBT (Hello) Tj ET\n", r"a PDF\. Convert it: pdftotext '.*/a file' text\.txt"),
        (b"\n%PDF-1.4\n", r"a PDF\."),
        (b"%!PS-Adobe-3.0\n", "PostScript.*ps2ascii"),
        (b"{\\rtf1 hello}", "RTF.*pandoc"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old Office file.*soffice"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer.*git lfs pull"),
        (b"BZh91AY", "packed by bzip2.*bzip2 -dk"),
        (b"\xfd7zXZ\x00\x00", "packed by xz.*xz -dk"),
        (b"\x28\xb5\x2f\xfd\x00", "packed by zstd.*zstd -d"),
        (packed(packed(b"words")), "packed by gzip twice"),
        (b"a.txt".ljust(257, b"\x00") + b"ustar\x0000", "a tar archive. Unpack it"),
        (b"SQLite format 3\x00", "a database.*sqlite3"),
        (b"ARROW1\x00\x00", "an Arrow file.*--dataset FOLDER"),
        (b"GGUF\x03\x00\x00\x00", "a GGUF file.*weights"),
        (b"GGUF\x00\x00\x00\x03", "a GGUF file.*weights"),
        (
            b"<!DOCTYPE html>\n<html><body>Hello</body></html>",
            "HTML or XML, whose tags would be measured.*pandoc -f html",
        ),
        (b'<?xml version="1.0"?><a>b</a>', "HTML or XML"),
        (b"<div><p>Some words.</p><p>More.</p></div>", "HTML or XML"),
        (b'\n<P class="x">Some words.</P>\n', "HTML or XML"),
        (archive("[Content_Types].xml", "word/document.xml"), "a Word document.*pandoc .* -t plain"),
        (archive("xl/workbook.xml"), "an Excel workbook.*as CSV"),
        (archive("META-INF/container.xml"), "an e-book.*pandoc"),
        (archive("a.txt", "b.txt"), "a zip archive. Unpack it"),
        (archive("a.txt")[:20], "a zip archive, and damaged"),
        (saved(lambda file, x: np.savez(file, x=x), np.zeros(3)), f"a .npz of arrays.*{STATES}; `decondense compare`"),
        (saved(np.save, np.zeros(3)), f"an array of NumPy.*{STATES}"),
        (of_torch({"x": torch.zeros(3)}), f"a file of PyTorch.*{STATES}"),
        (
            of_torch({"x": torch.zeros(3)}, _use_new_zipfile_serialization=False),
            f"a pickle, which may run code.*{STATES}",
        ),
        (save({"x": torch.zeros(3)}), f"a safetensors file.*{STATES}"),
        (b"abc\x00def", "binary: it has NUL bytes"),
        ("Some words.\n".encode("utf-16-le"), "probably UTF-16LE without a byte order mark. If so: iconv -f UTF-16LE"),
        ("Some words.\n".encode("utf-16-be"), "iconv -f UTF-16BE"),
    ],
)
def test_no_text(tmp_path, content, said):
    path = tmp_path / "a file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        reading.read([path])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.txt.gz", "a.PDF", "a.docx", "a.safetensors"])
def test_a_name_that_promises_something_else(tmp_path, name):
    (tmp_path / name).write_text("Only words.")
    with pytest.raises(ValueError, match=r"is named \.\w+ and does not begin like one\. Copy it again, or rename it"):
        reading.read([tmp_path / name])
