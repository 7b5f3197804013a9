"""The parser of all commands: help in 100 columns, wrong arguments as one line."""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from itertools import groupby
from typing import Any, NoReturn

WIDTH = 100


class Parser(argparse.ArgumentParser):
    """An ArgumentParser, its subcommands' parsers too."""

    def __init__(self, **options: Any):
        super().__init__(**{"formatter_class": Help, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # A subcommand's own parser knows its options; argparse would leave it to the outer one to complain.
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [text.partition("=")[0] for text in unknown if text.startswith("-")]
            near = [difflib.get_close_matches(text, self._option_string_actions, n=1) for text in options]
            hint = f"; did you mean {near[0][0]}?" if near and near[0] else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help lists what there is)\n")


class Help(argparse.HelpFormatter):
    """Fills paragraphs; indented lines, examples among them, stay as they are."""

    def __init__(self, prog: str):
        super().__init__(prog, width=min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled: list[str] = []
        for flows, group in groupby(text.splitlines(), key=lambda line: bool(line[:1].strip())):
            lines = list(group)
            filled += textwrap.wrap(" ".join(lines), width) if flows else lines
        return "\n".join(filled)


def positive(text: str) -> int:
    """An argument's whole number, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
