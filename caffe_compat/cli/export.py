"""caffe-compat export: writes a net with its weights as ONNX."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import console, options

if TYPE_CHECKING:
    import onnx

DESCRIPTION = """\
Write a net, in phase TEST and with its weights, as an ONNX model, for programs without Caffe.
Sizes that the net takes in any number (images, their height and width, RoIs) stay open. A layer
that has no exact form in ONNX is an error."""

EXAMPLES = """\
examples:
  caffe-compat export deploy.prototxt --weights F.caffemodel -o net.onnx
  caffe-compat export test.prototxt --weights F.caffemodel -o net.onnx --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_export)
    result.add_argument("net", metavar="NET", help="a net with Input layers, such as a deploy.prototxt")
    options.add_weights(result, required=True)
    result.add_argument("-o", "--output", metavar="OUT", required=True, help="the .onnx file to write")
    options.add_dialect(result)
    options.add_python_layers(result)
    options.add_output(result)


def _export(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.files import check_writable
    from caffe_compat.layers.common.optional_import import optional_import

    optional_import(CaffeCompatError, "onnx", "onnx")
    from caffe_compat.onnx_export.model import to_onnx, write

    check_writable(args.output)
    net = caffe.Net(args.net, caffe.TEST, dialect=args.dialect, python_layers=console.may_import(args))
    show.weights(net.copy_from(args.weights), args.quiet or args.json)
    model = to_onnx(net)
    write(model, args.output)
    if args.json:
        print(json.dumps(_as_json(args, model), indent=2))
    else:
        _print(args, model)


def _as_json(args: argparse.Namespace, model: onnx.ModelProto) -> dict[str, Any]:
    graph = model.graph
    return {
        "net": args.net,
        "weights": args.weights,
        "opset": model.opset_import[0].version,
        "operators": len(graph.node),
        "inputs": [{"name": value.name, "shape": _shape(value)} for value in graph.input],
        "outputs": [{"name": value.name, "shape": _shape(value)} for value in graph.output],
        "bytes": os.path.getsize(args.output),
        "written": args.output,
    }


def _shape(value: onnx.ValueInfoProto) -> list[int | str | None]:
    """A dim is a number, the name of an open one, or None: it follows from the inputs'."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in dims]


def _print(args: argparse.Namespace, model: onnx.ModelProto) -> None:
    out = console.out()
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            dims = " x ".join("?" if dim is None else str(dim) for dim in _shape(value))
            out.print(f"{kind} {value.name}: {dims or 'a scalar'}", markup=False, soft_wrap=True)
    if not args.quiet:
        size = os.path.getsize(args.output) / 1e6
        what = f"ONNX opset {model.opset_import[0].version}, {len(model.graph.node)} operators, {size:.1f} MB"
        out.print(f"wrote {args.output}: {what}", markup=False, soft_wrap=True)
