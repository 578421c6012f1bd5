"""Files that hold no text to measure, known by their first bytes, each with the way to convert it."""

import re
import shlex
import zipfile
from io import BufferedIOBase
from pathlib import PurePath

STDIN = "standard input"  # in messages
HIDDEN_STATES = "It has tensors, no text: give hidden states with --states, weights as a model's folder"
RESULT = f"{HIDDEN_STATES}; `decondense compare` reads results of measure --out"
UNPACK = "Unpack it, and give the files in it, each with a --texts of its own"
PANDOC = "Convert it: pandoc {} -t plain -o text.txt"

# The first bytes, what they say, and what to do; {} is the file.
SIGNATURES = (
    (b"%PDF-", "a PDF", "Convert it: pdftotext {} text.txt"),
    (b"%!PS", "PostScript", "Convert it: ps2ascii {} text.txt"),
    (b"{\\rtf", "RTF", PANDOC),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file", "Convert it: soffice --convert-to txt:Text {}"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch it: git lfs pull"),
    (b"BZh", "packed by bzip2", "Unpack it: bzip2 -dk {}"),
    (b"\xfd7zXZ\x00", "packed by xz", "Unpack it: xz -dk {}"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "Unpack it: zstd -d {}"),
    (b"\x1f\x8b", "packed by gzip twice", "Unpack it: gzip -d {}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"SQLite format 3\x00", "a database", "Export the texts: sqlite3 -csv -header {} 'SELECT ...' > texts.csv"),
    (b"ARROW1\x00\x00", "an Arrow file", "Give the folder that `save_to_disk` wrote: --dataset FOLDER"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "Give the folder that `save_to_disk` wrote: --dataset FOLDER"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", HIDDEN_STATES),
    (b"\x93NUMPY", "an array of NumPy", HIDDEN_STATES),
    *(
        (b"GGUF" + version, "a GGUF file", "It holds weights: measure a model of the hub, or its folder")
        for version in (b"\x01\0\0\0", b"\x02\0\0\0", b"\x03\0\0\0", b"\0\0\0\x03")  # the last is big-endian
    ),
    *(
        (bytes([0x80, version]), "a pickle, which may run code and is not read", HIDDEN_STATES)
        for version in (2, 3, 4, 5)
    ),
)
# A file that all files of a kind have in their zip archive.
ARCHIVES = (
    (".npy", "a .npz of arrays", RESULT),
    ("data.pkl", "a file of PyTorch", HIDDEN_STATES),
    ("word/document.xml", "a Word document", PANDOC),
    ("xl/workbook.xml", "an Excel workbook", "Save the sheet as CSV (UTF-8)"),
    ("ppt/presentation.xml", "a presentation", "Convert it: soffice --convert-to pdf {}, then pdftotext"),
    ("META-INF/container.xml", "an e-book", PANDOC),
    ("content.xml", "an OpenDocument file", PANDOC),
)
MARKUP = (b"<!doctype html", b"<html", b"<?xml")
# A fragment of a page, which begins with one of these elements and closes one.
ELEMENT = rb"(div|p|span|h[1-6]|ul|ol|li|table|tr|td|head|body|main|header|nav|section|article)"
OPENED, CLOSED = (re.compile(tag % ELEMENT, re.IGNORECASE) for tag in (rb"<%s(\s[^<>]*)?>", rb"</%s\s*>"))
# Names that promise one of the above, or what is read by its first bytes.
PROMISES = {".parquet", ".gz", ".pdf", ".docx", ".xlsx", ".zip", ".npz", ".npy", ".pt", ".pth", ".safetensors"}


def refuse(file: BufferedIOBase, head: bytes, path: PurePath) -> None:
    """Refuse what is no text by its first bytes, and what is text where the name promises something else.

    Raises
        ValueError: what it is, and how to convert it.
    """
    if said := _recognised(file, head, markdown=path.suffix.lower() == ".md"):  # which may hold HTML
        what, cure = said
        raise ValueError(f"{path} is {what}. {cure.format(in_shell(path))}.")
    if path.suffix.lower() in PROMISES:
        raise ValueError(f"{path} is named {path.suffix} and does not begin like one. Copy it again, or rename it.")
    refuse_binary(head, path)


def in_shell(path: PurePath | str) -> str:
    """A file as a command of the shell takes it."""
    return "FILE" if str(path) == STDIN else shlex.quote(str(path))


def _recognised(file: BufferedIOBase, head: bytes, *, markdown: bool) -> tuple[str, str] | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what, cure in SIGNATURES:
        if head.startswith(signature) or (signature[:1] in b"%{" and start.startswith(signature)):
            return what, cure
    if head[257:262] == b"ustar":
        return "a tar archive", UNPACK
    if head.startswith(b"PK\x03\x04"):
        return _archive(file)
    if start[:20].lower().startswith(MARKUP) or (not markdown and OPENED.match(start) and CLOSED.search(start)):
        return "HTML or XML, whose tags would be measured", "Convert it: pandoc -f html -t plain {} -o text.txt"
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 10**9:
        return "a safetensors file", HIDDEN_STATES
    return None


def _archive(file: BufferedIOBase) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(file).namelist()
    except (zipfile.BadZipFile, OSError):
        return "a zip archive, and damaged", "Copy it again"
    known = ((what, cure) for ending, what, cure in ARCHIVES if any(name.endswith(ending) for name in names))
    return next(known, ("a zip archive", UNPACK))


def refuse_binary(head: bytes, path: PurePath) -> None:
    """Refuse bytes with a NUL, which no text has; UTF-16 without its mark has one in each pair.

    Raises
        ValueError: it is binary, or UTF-16 of this byte order.
    """
    if b"\x00" not in head:
        return
    even, odd = head[::2].count(0), head[1::2].count(0)
    for name, more, fewer in (("UTF-16LE", odd, even), ("UTF-16BE", even, odd)):
        if more > len(head) / 4 and fewer < more / 100:
            cure = f"If so: iconv -f {name} -t UTF-8 {in_shell(path)} > text.txt"
            raise ValueError(f"{path} is probably {name} without a byte order mark. {cure}")
    raise ValueError(f"{path} is binary: it has NUL bytes. Give a file of text, or convert it to one.")
