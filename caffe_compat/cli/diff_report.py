"""What `caffe-compat diff` prints: a table of everything compared, the first difference, and why."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from caffe_compat.compare.result import PARAM, Diff, Divergence, Row
from caffe_compat.text import dims, scientific

SHOWN = 10  # settings, at most


def report(result: Diff, console: Console, quiet: bool = False) -> None:
    """Print a comparison, legible in 100 columns; quiet: only what differs."""
    if not quiet:
        console.print(_table(result.rows))
    if result.settings:
        _settings(result, console)
    for divergence in result.divergences:
        _divergence(result, divergence, console)
    if result.divergences:
        console.print()
    console.print(result.verdict, markup=False)


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
            scientific(error.max_error),
            "" if error.of == "the mean |x|" else scientific(error.mean_error),
            "" if row.running is None else scientific(row.running),
            ", ".join(map(str, error.index)) if error.index and error.max_error else "",
            style="" if row.same else "bold red",
        )
    return table


def _known(row: Row) -> str:
    return {"all values": "", "the mean |x|": " (mean)"}.get(row.error.of, " (head)")


def _settings(result: Diff, console: Console) -> None:
    console.print(f"the prototxts differ in {len(result.settings)} setting(s):")
    for setting in result.settings[:SHOWN]:
        console.print(f"  {setting.layer}: {setting}", markup=False)
    if len(result.settings) > SHOWN:
        console.print(f"  ... and {len(result.settings) - SHOWN} more (see --json)")


def _divergence(result: Diff, divergence: Divergence, console: Console) -> None:
    row = result.rows[divergence.row]
    console.print(f"\n[bold]{escape(row.layer)}[/bold] ({row.type}): {escape(row.what)} differs")
    if row.difference:
        console.print(f"  {row.difference}", markup=False)
    for cause in divergence.causes:
        where = "" if cause.layer == row.layer else f"{cause.layer}: "
        console.print(f"  cause: {where}{cause.text}", markup=False, style="bold")
        console.print(f"         {cause.figures}", markup=False)
    if not divergence.causes:
        console.print(f"  {result.unexplained(divergence)}", markup=False)
