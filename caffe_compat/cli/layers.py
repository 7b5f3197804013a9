"""caffe-compat layers: what each layer type takes and does."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from caffe_compat.cli import console, options

HELP: dict[str, Any] = {
    "description": "List the layer types that can be run: whose Caffe has them, the params that they honour, whether\n"
    "they have a backward pass (and which bottoms take no gradient), whether they work in place.",
    "epilog": "examples:\n  caffe-compat layers\n  caffe-compat layers Pooling LRN\n  caffe-compat layers --json",
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_layers)
    result.add_argument("types", metavar="TYPE", nargs="*", help="only these layer types")
    options.add_json(result)


def _layers(args: argparse.Namespace) -> None:
    from rich.table import Table

    from caffe_compat.layers.common.facts import all_facts
    from caffe_compat.layers.registry import layer_class

    for name in args.types:
        layer_class(name)  # an unknown one is an error that names the nearest
    known = [facts for facts in all_facts() if not args.types or facts.type in args.types]
    if args.json:
        print(json.dumps([asdict(facts) for facts in known]))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title, width in (("type", 27), ("from", 14), ("params", 34), ("backward", 13), ("in place", 8)):
        table.add_column(title, max_width=width, overflow="fold")
    for facts in known:
        params = "\n".join(f"{message}: {', '.join(fields)}" for message, fields in facts.params.items())
        table.add_row(facts.type, facts.origin, params, facts.gradients, "yes" if facts.in_place else "")
    console.out().print(table)
