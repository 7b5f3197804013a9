"""Lists that layers read from files: of images, of HDF5 files, of windows, of sizes."""

from __future__ import annotations

import math

from caffe_compat.errors import ErrorFactory


def read_lines(owner: ErrorFactory, path: str, what: str) -> list[tuple[str, str]]:
    """The lines of a list, without their ends, and where each stands, file:line, for errors about it.

    what: which list it is, in words. Names of files in it may be in any encoding; a byte order mark is none of them.
    Raises owner's error where the list cannot be read, is no text or has nothing but blanks.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = [(line.rstrip("\n"), f"{path}:{number}") for number, line in enumerate(file, 1)]
    except OSError as error:
        raise owner.error(f"cannot read the {what} '{path}': {error.strerror}") from error
    if any("\0" in text for text, _ in lines):
        raise owner.error(f"'{path}' is no {what}, which is text, but a binary file")
    if not any(text.strip() for text, _ in lines):
        raise owner.error(f"the {what} '{path}' is empty")
    return lines


def read_numbers(owner: ErrorFactory, path: str, count: int) -> list[float]:
    """The numbers that a text file begins with, `count` at most, between blanks and ends of lines.

    Raises owner's error where the file cannot be read, and where something else than a finite number stands among them.
    """
    words = " ".join(line for line, _ in read_lines(owner, path, "numbers")).split()[:count]
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise owner.error(f"'{path}' has something else than numbers: {error}") from error
    if not all(map(math.isfinite, numbers)):
        raise owner.error(f"'{path}' has numbers that are not finite")
    return numbers
