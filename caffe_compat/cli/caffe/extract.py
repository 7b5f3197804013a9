"""caffe-compat extract: Caffe's extract_features."""

from __future__ import annotations

import argparse
import json

from caffe_compat.cli import console, options
from caffe_compat.cli.caffe.flags import comma_list, help_of, say_no_gpu
from caffe_compat.cli.parser import positive

HELP = help_of(
    """\
Run a net of phase TEST over N batches of its data layer and write what its blobs hold: an LMDB of Datums with
float_data for each blob; or an .npz or HDF5 file with one array, named like the blob.""",
    """\
  caffe-compat extract vgg.caffemodel net.prototxt fc7 features_lmdb 10
  caffe-compat extract vgg.caffemodel net.prototxt fc6,fc7 fc6.npz,fc7.npz 10 npz""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_extract)
    result.add_argument("weights", metavar="WEIGHTS", help="a .caffemodel, or HDF5")
    result.add_argument("model", metavar="MODEL", help="the net, a prototxt with a data layer")
    result.add_argument("blobs", metavar="BLOB[,BLOB]", type=comma_list, help="names of blobs")
    result.add_argument("outputs", metavar="OUT[,OUT]", type=comma_list, help="what to write, one a blob")
    result.add_argument("batches", metavar="N", type=positive, help="how many batches")
    result.add_argument("form", metavar="lmdb|npz|h5", nargs="?", default="lmdb", help="default: lmdb")
    result.add_argument("mode", metavar="CPU|GPU", nargs="?", default="CPU", help="taken; the CPU computes")
    result.add_argument("device", metavar="ID", nargs="?", help="of a GPU; taken")
    options.add_dialect(result)
    options.add_output(result)


def _extract(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.errors import DataError
    from caffe_compat.tools.features import FORMATS, extract

    quiet = args.quiet or args.json
    if args.form not in FORMATS:
        raise DataError(f"'{args.form}' cannot be written; the formats are {', '.join(FORMATS)}")
    say_no_gpu((args.device or "0") if args.mode == "GPU" else "")
    console.import_from_here()
    with log(quiet):
        net = caffe.Net(args.model, caffe.TEST, dialect=args.dialect)
        show.weights(net.copy_from(args.weights), quiet)
        counts = extract(net, args.blobs, args.outputs, args.batches, args.form)
    if args.json:
        rows = zip(args.blobs, args.outputs, counts, strict=True)
        print(json.dumps([{"blob": blob, "written": path, "items": count} for blob, path, count in rows]))
