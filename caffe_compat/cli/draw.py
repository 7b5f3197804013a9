"""caffe-compat draw: a net as a picture."""

from __future__ import annotations

import argparse
import os
from typing import Any

from caffe_compat.cli.explain import add_net_arguments, explained

DESCRIPTION = """\
Draw a net: its layers and blobs with their shapes, where gradient flows (bold, arrows both ways), which branches only
read (dashed), which params are frozen or shared. FILE ends in .svg, .html (a page of its own: a click on a layer tells
all about it), or .png (needs `pip install 'caffe-compat[png]'`)."""

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
    add_net_arguments(result)
    result.add_argument("-o", "--output", metavar="FILE", required=True, type=_picture, help="what to write")
    result.add_argument("--traceback", action="store_true", help="show where in the program an error arose")


def _picture(text: str) -> str:
    if os.path.splitext(text)[1].lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f"'{text}' does not end in {', '.join(ENDINGS)}")
    return text


def _draw(args: argparse.Namespace) -> None:
    from caffe_compat.drawing import page, picture
    from caffe_compat.files import replacing

    facts = explained(args)
    svg = picture.svg(facts)
    ending = os.path.splitext(args.output)[1].lower()
    if ending == ".png":
        content = page.png(svg)
    else:
        content = (svg if ending == ".svg" else page.html(facts, svg)).encode()
    with replacing(args.output) as temporary, open(temporary, "wb") as file:
        file.write(content)
    print(f"{args.output}: {len(facts.layers)} layers, phase {facts.phase}")
