"""--check-finite, of all commands that run a net."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caffe_compat.cli import console
from caffe_compat.text import dims

if TYPE_CHECKING:
    from caffe_compat.debug.check_finite import NotFinite, Range
    from caffe_compat.net import Net
    from caffe_compat.solvers import Solver


@contextmanager
def checking(args: argparse.Namespace, net: Net | Solver) -> Iterator[None]:
    """Stop a net or a solver as --check-finite says; the ranges are printed here, the error by whoever catches it."""
    if not args.check_finite:
        yield
        return
    from caffe_compat.debug.check_finite import check_finite
    from caffe_compat.errors import NotFiniteError

    try:
        with check_finite(net, "."):
            yield
    except NotFiniteError as error:
        if args.json:
            print(json.dumps({"file": error.file, "not_finite": error.finding.as_dict()}, indent=2))
        else:
            report(error.finding)
        raise


def report(finding: NotFinite) -> None:
    """A table of what the layer read, and of what is not finite."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(f"{finding.layer} ({finding.type})", max_width=38, overflow="fold")
    for name in ("shape", "least", "greatest", "NaN", "inf"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in [*finding.inputs, finding.found]:
        table.add_row(*_row(one))
    console.out().print(table)


def _row(one: Range) -> tuple[str, ...]:
    ends = ("-" if end is None else f"{end:.6g}" for end in (one.least, one.greatest))
    shares = (f"{100 * n / max(one.count, 1):.3g} %" if n else "" for n in (one.nan, one.inf))
    return f"{one.what} {one.name}", dims(one.shape), *ends, *shares
