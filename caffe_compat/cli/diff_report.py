"""What `caffe-compat diff` prints: a table of everything compared, the first difference, and why."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from caffe_compat.cli.console import dims
from caffe_compat.compare.result import PARAM, Diff, Divergence, Row

SHOWN = 10  # settings, at most


def report(result: Diff, console: Console, quiet: bool = False) -> None:
    """Print a comparison, legible in 100 columns; quiet: only what differs."""
    if not quiet:
        console.print(_table(result.rows))
    if result.settings:
        _settings(result, console)
    layers: set[str] = set()
    for divergence in result.divergences:
        row = result.rows[divergence.row]
        _divergence(row, divergence, row.layer in layers, console)
        layers.add(row.layer)
    console.print(_verdict(result), markup=False)


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("layer", max_width=24, overflow="fold")
    table.add_column("blob", max_width=24, overflow="fold")
    table.add_column("shape", no_wrap=True)
    for name in ("max", "mean", "running"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("worst at", no_wrap=True)
    stage = ""
    for row in rows:
        if row.same and (row.type == "Split" or row.stage == PARAM or not row.flows):
            continue  # copies, what was loaded, and gradients that neither side computes
        if row.stage != stage:
            stage = row.stage
            table.add_row(f"[bold]{stage}[/bold]")
        error = row.error
        table.add_row(
            escape(row.layer),
            escape(row.blob) + _known(row),
            dims(row.shape),
            _number(error.max_error),
            "" if error.of == "the mean |x|" else _number(error.mean_error),
            "" if row.running is None else _number(row.running),
            ", ".join(map(str, error.index)) if error.index and error.max_error else "",
            style="" if row.same else "bold red",
        )
    return table


def _known(row: Row) -> str:
    return {"all values": "", "the mean |x|": " (mean)"}.get(row.error.of, " (head)")


def _number(error: float) -> str:
    return "0" if error == 0 else f"{error:.1e}"


def _settings(result: Diff, console: Console) -> None:
    console.print(f"the prototxts differ in {len(result.settings)} setting(s):")
    for setting in result.settings[:SHOWN]:
        console.print(f"  {setting.layer}: {setting}", markup=False)
    if len(result.settings) > SHOWN:
        console.print(f"  ... and {len(result.settings) - SHOWN} more (see --json)")


def _divergence(row: Row, divergence: Divergence, again: bool, console: Console) -> None:
    """again: the layer has differed in something before."""
    error = row.error
    console.print(f"\n[bold]{escape(row.layer)}[/bold] ({row.type}): {row.stage} {_what(row)} differs")
    if error.want_shape is not None:
        console.print(f"  its shape is {dims(row.shape)} here, {dims(error.want_shape)} there")
    elif error.index is not None:
        index = ", ".join(map(str, error.index))
        console.print(f"  most at ({index}): {row.place}: {error.got:.6g} here, {error.want:.6g} there")
    elif error.got is not None:
        console.print(f"  {error.of} is {error.got:.6g} here, {error.want:.6g} there")
    for cause in divergence.causes:
        where = "" if cause.layer == row.layer else f"{cause.layer}: "
        console.print(f"  cause: {where}{cause.text}", markup=False, style="bold")
        console.print(f"         {cause.figures}", markup=False)
    if not divergence.causes and again:
        console.print("  may follow from what differs in this layer above")
    elif not divergence.causes:
        tried = f": {divergence.tried} guesses were checked, none holds" if divergence.tried else ""
        console.print(f"  cause not found{tried}")


def _what(row: Row) -> str:
    return f"of param {row.blob}" if row.stage.startswith("param") else f"of {row.blob}"


def _verdict(result: Diff) -> str:
    checked = len(result.rows)
    if result.divergences:
        rest = "; what comes after was not looked at (--all does)" if result.ended else ""
        return f"\ndifferent: {len(result.divergences)} of {checked} compared{rest}"
    if result.drift is not None:
        row = result.rows[result.drift]
        return (
            f"different: each layer alone agrees, but the net's own values drift, from {row.stage} {row.blob} of "
            f"{row.layer} on ({row.running:.1e})"
        )
    if not result.same:
        return f"different: all {checked} compared agree to {result.tolerance:g}, but a solver would do otherwise"
    return f"the same: all {checked} compared agree to {result.tolerance:g}"
