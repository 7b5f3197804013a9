"""Files of words, in which blanks and line ends are alike."""

from __future__ import annotations

from caffe_compat.errors import CaffeCompatError, ErrorFactory
from caffe_compat.layers.common.list_file import read_lines


class Words:
    """Gives the words of a file one after the other. Errors are owner's, with file and line.

    what: which file it is, in words. Raises owner's error where it cannot be read or has nothing but blanks.
    """

    def __init__(self, owner: ErrorFactory, source: str, what: str):
        lines = read_lines(owner, source, what)
        self.owner, self.source, self.position = owner, source, 0
        self.words = [(word, place) for line, place in lines for word in line.split()]

    @property
    def is_at_end(self) -> bool:
        return self.position == len(self.words)

    @property
    def place(self) -> str:
        """file:line of the last word."""
        return self.words[self.position - 1][1]

    def word(self, expected: str) -> str:
        """The next word; expected: what it should be, for the error at the end of the file."""
        if self.is_at_end:
            raise self.owner.error(f"{self.source}: the file ends where {expected} was expected")
        self.position += 1
        return self.words[self.position - 1][0]

    def whole(self, expected: str) -> int:
        """The next word as a whole number."""
        try:
            return int(self.word(expected))
        except ValueError:
            raise self.error(expected) from None

    def number(self, expected: str) -> float:
        try:
            return float(self.word(expected))
        except ValueError:
            raise self.error(expected) from None

    def count(self, expected: str) -> int:
        """The next word as a number of things, which are at least as many words."""
        number = self.whole(expected)
        if not 0 <= number <= len(self.words):
            raise self.error(f"{expected}, at most as many as the file has words")
        return number

    def error(self, expected: str) -> CaffeCompatError:
        """That the last word is not what was expected."""
        return self.owner.error(
            f"{self.place}: expected {expected}, found '{self.words[self.position - 1][0]}'"
        )
