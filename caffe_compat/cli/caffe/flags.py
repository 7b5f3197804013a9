"""Flags as the caffe binary takes them: -name value, -name=value, --name value, --name=value."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from caffe_compat.cli.parser import positive

YES, NO = ("true", "1", "t", "yes", "y"), ("false", "0", "f", "no", "n")


def help_of(description: str, examples: str) -> dict[str, Any]:
    """What a command's parser is made with. A flag cannot be cut short, or -s could mean anything."""
    return {
        "description": description,
        "epilog": f"examples:\n{examples}",
        "allow_abbrev": False,
    }


def add_flag(parser: Any, name: str, **options: Any) -> None:
    parser.add_argument(f"-{name}", f"--{name}", **options)
    if "_" in name:  # Caffe's scripts around its tools spell flags with hyphens
        hidden = {"dest": name, **options, "help": argparse.SUPPRESS}
        parser.add_argument(f"--{name.replace('_', '-')}", **hidden)


def add_switch(parser: Any, name: str, help: str) -> None:
    """A flag that is on or off: -name, -noname, -name=true, -name=false."""
    add_flag(parser, name, action="store_true", help=help)
    for words, action in ((YES, "store_true"), (NO, "store_false")):
        spelt = [f"{dash}{name}={word}" for dash in ("-", "--") for word in words]
        if action == "store_false":
            spelt += [f"-no{name}", f"--no{name}"]
        parser.add_argument(*spelt, dest=name, action=action, help=argparse.SUPPRESS)


def add_model_flags(parser: Any) -> None:
    """Add -model, and what all actions that make a net take."""
    add_flag(parser, "model", required=True, metavar="F", help="the net, a prototxt")
    add_state_flags(parser)
    add_flag(parser, "iterations", type=positive, default=50, metavar="N", help="default: 50")


def add_state_flags(parser: Any) -> None:
    """Add -level, -stage and -gpu."""
    add_flag(parser, "level", type=int, default=0, metavar="N", help="level of the net's state")
    add_flag(parser, "stage", type=comma_list, default=[], metavar="S[,S]", help="stages of the net's state")
    add_flag(parser, "gpu", default="", metavar="ID", help="taken, but the CPU computes all the same")


def comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def say_no_gpu(gpu: str) -> None:
    """Say on stderr that a GPU was asked for and is not used."""
    if gpu:
        print(f"warning: -gpu {gpu}: GPUs are not used, the CPU computes", file=sys.stderr)
