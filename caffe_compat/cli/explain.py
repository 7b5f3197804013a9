"""caffe-compat explain: where gradient flows, why not elsewhere, and which params learn."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import console, options
from caffe_compat.cli.phases import read_in_phase
from caffe_compat.text import dims

if TYPE_CHECKING:
    from rich.table import Table

    from caffe_compat.explain.explanation import Explanation
    from caffe_compat.net import Net

DESCRIPTION = """\
Say of each layer and bottom whether gradient flows, and if not, why: a propagate_down flag, an lr_mult of 0 (each
with its line), nothing below that learns, no path to a loss. Say of each param who owns it, who shares it, and which
lr_mult and decay_mult count. With the NAME of a layer, a blob or a param (`fc6_w`, or `fc6[0]`): all about that one."""

EXAMPLES = """\
examples:
  caffe-compat explain train.prototxt
  caffe-compat explain train.prototxt fc6_readonly
  caffe-compat explain train.prototxt fc6_w --propagate-down restricts
  caffe-compat explain train_val.prototxt --phase test --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_explain)
    options.add_net(result)
    result.add_argument("name", metavar="NAME", nargs="?", help="a layer, a blob or a param")
    options.add_net_state(result)
    options.add_json(result)


def make_net(args: argparse.Namespace) -> Net:
    """Build the net that the arguments ask for, to be looked at."""
    from caffe_compat.engine import STRICT, EngineChoice
    from caffe_compat.explain.seen_net import SeenNet

    return SeenNet.from_param(
        *read_in_phase(args.net, args.phase, args.level, args.stage),
        propagate_down=args.propagate_down,
        engine=EngineChoice(STRICT),  # which looks at no layers before they run
        dialect=args.dialect,
        python_layers=console.may_import(args),
    )


def _explain(args: argparse.Namespace) -> None:
    from caffe_compat.explain.describe import describe
    from caffe_compat.explain.explanation import explain

    facts = explain(make_net(args))
    told = describe(facts, args.name) if args.name else None
    if args.json:
        result = {**facts.as_dict(), **({"name": args.name, "story": told} if told else {})}
        print(json.dumps(result, indent=2, allow_nan=False))
    elif told is not None:
        _print(told)
    else:
        _report(facts)


def _print(lines: list[str]) -> None:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        print(textwrap.fill(line, console.WIDTH, subsequent_indent=indent + "  ", break_on_hyphens=False))


def _report(facts: Explanation) -> None:
    from caffe_compat.explain.describe import describe_net

    out = console.out()
    title = f'net "{facts.name}"' if facts.name else "net"
    out.print(f"{facts.file}: {title}, phase {facts.phase}", markup=False, soft_wrap=True)
    out.print()
    out.print(_layers(facts))
    if facts.params:
        out.print()
        out.print(_params(facts))
    for text in describe_net(facts):
        out.print()
        out.print(text, markup=False)


def _table(*columns: tuple[str, dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, style in columns:
        table.add_column(name, **style)
    return table


def _layers(facts: Explanation) -> Table:
    from rich.text import Text

    from caffe_compat.explain.describe import gradient

    table = _table(
        ("line", {"justify": "right"}),
        ("layer", {"max_width": 24, "overflow": "fold"}),
        ("bottom", {"max_width": 25, "overflow": "fold"}),
        ("gradient", {}),
    )
    for layer in facts.layers:
        rows = [(bottom.blob, gradient(layer, bottom)) for bottom in layer.bottoms]
        if len({text for _, text in rows}) == 1 and len(rows) > 1:
            rows = [(f"all {len(rows)}", rows[0][1])]
        rows = rows or [("", "")]
        for k, (blob, text) in enumerate(rows):
            line, name = (str(layer.line or ""), layer.name) if k == 0 else ("", "")
            table.add_row(line, Text(name), Text(blob), Text(text), style="" if text == "flows" else "dim")
    return table


def _params(facts: Explanation) -> Table:
    from rich.text import Text

    from caffe_compat.explain.describe import stated

    table = _table(
        ("param", {"max_width": 20, "overflow": "fold"}),
        ("shape", {"no_wrap": True}),
        ("owner, shared by", {"overflow": "fold"}),
        ("lr_mult", {}),
        ("decay_mult", {}),
        ("learns", {}),
    )
    for param in facts.params:
        layer = param.owner.split("[")[0] if not param.sharers else ""
        uses = ", ".join(param.uses) if param.sharers or param.owner != param.name else ""
        cells = [param.name, dims(param.shape), uses]
        cells += [stated(param.lr_mult, layer), stated(param.decay_mult, layer)]
        learns = f"from {', '.join(param.learns_from)}" if param.sharers else "yes"
        cells.append(learns if param.learns else f"no: {param.reason}")
        table.add_row(*map(Text, cells), style="" if param.learns else "dim")
    return table
