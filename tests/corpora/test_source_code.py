"""Python source of installed packages: which licences are free, which packages are never trained on."""

from email.message import Message

import pytest

from decondense.corpora import documentation, source_code
from decondense.corpora.source_code import Package


def metadata(**fields):
    found = Message()
    for name, value in fields.items():
        for one in [value] if isinstance(value, str) else value:
            found[name.replace("_", "-")] = one
    return found


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ({"License_Expression": "Apache-2.0 AND MIT"}, "Apache-2.0 AND MIT"),
        ({"License": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"License": "Apache 2.0 License\nand its whole text"}, "Apache 2.0 License"),
        ({"Classifier": ["Topic :: Text", "License :: OSI Approved :: MIT License"]}, "MIT License"),
        ({"License": "x" * 90, "Classifier": ["License :: OSI Approved :: BSD License"]}, "BSD License"),
        ({"License_Expression": "LGPL-2.1-or-later"}, "LGPL-2.1-or-later"),
        ({"License": "NVIDIA Proprietary Software"}, ""),
        ({"License": "MIT", "Classifier": ["License :: Other/Proprietary License"]}, ""),
        ({"License": "CC BY-NC 4.0 (non-commercial)"}, ""),
        ({"License": "PERMITTED"}, ""),
        ({}, ""),
    ],
)
def test_the_licence_is_what_the_metadata_say(about, licence):
    assert source_code.licence_of(metadata(**about)) == licence


def made(name, size):
    return Package(name, "1", "MIT", ["x" * size])


def test_packages_are_held_out_until_their_share_is_reached():
    every = [made("huge", 5000), made(documentation.PACKAGES[0], 50), *(made(f"p{i}", 90) for i in range(60))]
    kept, held_out = source_code.split(every)
    assert [package.name for package in held_out] == ["p0", "p1", "p2", "p3"]  # 360 of 10,450 characters
    assert kept == [package for package in every if package not in held_out]


def test_a_held_out_text_that_is_seen_under_another_name_is_dropped():
    long = [f"a line of the file that has the number {i}" for i in range(10)]
    train = ["\n".join(["import one", *long[:6]])]
    half_seen, mostly_seen, new = "\n".join(long[4:8]), "\n".join(long[:7]), "\n".join(long[6:])
    assert source_code.unlike([half_seen, mostly_seen, new, "x = 1"], train) == [half_seen, new, "x = 1"]


def test_the_packages_here_are_free_and_in_one_order():
    found = source_code.packages()
    names = [package.name for package in found]
    assert {"numpy", "torch"} <= set(names)
    assert len(names) == len(set(names))
    assert names == sorted(names, key=lambda name: source_code.sha256(name.lower()))
    assert all(package.licence and package.files for package in found)
