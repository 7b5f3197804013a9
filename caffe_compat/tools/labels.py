"""Names of classes, which may be alike: of a file, such as ImageNet's synset_words.txt, or with commas between."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from caffe_compat.errors import DataError
from caffe_compat.files import read_text

_SYNSET = re.compile(r"(n\d{8})\s+(\S.*)")


@dataclass(frozen=True)
class Label:
    """The name of a class, and the number of its synset in WordNet (n01440764), if the file has these."""

    name: str
    synset: str | None = None

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"class": self.name, **({"synset": self.synset} if self.synset else {})}


def read_labels(path: str) -> list[Label]:
    """The names in the order of the lines of a file; or names with commas between, where there is no such file.

    Empty lines at the end are none. Where every line begins with a synset's number, that is not part of the name.
    Raises DataError where the file cannot be read, is empty, or has an empty line between others.
    """
    if "," in path and not os.path.exists(path):
        return [Label(name.strip()) for name in path.split(",")]
    lines = [line.strip() for line in read_text(path, "the names of the classes").rstrip().splitlines()]
    if not lines or not all(lines):
        where = f"line {lines.index('') + 1} is empty" if lines else "the file is empty"
        raise DataError(f"{where}; a class has its name in each line", file=path)
    matches = [_SYNSET.fullmatch(line) for line in lines]
    if all(matches):
        return [Label(match[2], match[1]) for match in matches if match]
    return [Label(line) for line in lines]
