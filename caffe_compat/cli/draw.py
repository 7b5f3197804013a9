"""caffe-compat draw: a net as a picture."""

from __future__ import annotations

import argparse
import os
from typing import Any

from caffe_compat.cli import options
from caffe_compat.cli.explain import make_net

DESCRIPTION = """\
Draw a net: its layers and blobs with their shapes, where gradient flows (bold, arrows both ways), which branches only
read (dashed), which params are frozen or shared. FILE ends in .svg, .html (a page where a click on a layer tells all
about it), or .png (needs `pip install 'caffe-compat[png]'`)."""

EXAMPLES = """\
examples:
  caffe-compat draw train.prototxt -o net.svg
  caffe-compat draw train.prototxt -o net.html
  caffe-compat draw train_val.prototxt --phase test -o net.png"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}
ENDINGS = (".svg", ".html", ".png")


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_draw)
    options.add_net(result)
    options.add_net_state(result)
    result.add_argument("-o", "--output", metavar="FILE", required=True, type=_picture, help="what to write")


def _picture(text: str) -> str:
    if os.path.splitext(text)[1].lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f"'{text}' does not end in {', '.join(ENDINGS)}")
    return text


def _draw(args: argparse.Namespace) -> None:
    from caffe_compat.drawing.picture import svg
    from caffe_compat.drawing.png import png
    from caffe_compat.explain.explanation import explain
    from caffe_compat.files import replacing
    from caffe_compat.report.collect import of_net
    from caffe_compat.report.page import page

    net = make_net(args)
    facts = explain(net)
    ending = os.path.splitext(args.output)[1].lower()
    if ending == ".html":
        content = page(of_net(net, facts)).encode()
    else:
        content = svg(facts).encode() if ending == ".svg" else png(svg(facts))
    with replacing(args.output) as temporary, open(temporary, "wb") as file:
        file.write(content)
    print(f"{args.output}: {len(facts.layers)} layers, phase {facts.phase}")
