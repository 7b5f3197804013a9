"""caffe-compat extract: Caffe's extract_features."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from caffe_compat.cli import console, options, photos
from caffe_compat.cli.caffe.flags import comma_list, help_of, say_no_gpu
from caffe_compat.cli.parser import positive

if TYPE_CHECKING:
    from caffe_compat.net import Net

OF_ENDING = {".npz": "npz", ".h5": "h5", ".hdf5": "h5"}

HELP = help_of(
    """\
Run a net of phase TEST over N batches of its data layer, or over photos, and write what its blobs hold: an LMDB of
Datums with float_data for each blob; or an .npz or HDF5 file with one array, named like the blob. Items stand in the
order of the photos, those of a folder by name.""",
    """\
  caffe-compat extract vgg.caffemodel net.prototxt fc7 features_lmdb 10
  caffe-compat extract vgg.caffemodel net.prototxt fc6,fc7 fc6.npz,fc7.npz 10 npz
  caffe-compat extract vgg.caffemodel deploy.prototxt fc7 fc7.npz --photo photos/ --mean 104,117,123""",
)


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_extract)
    result.add_argument("weights", metavar="WEIGHTS", help="a .caffemodel, or HDF5")
    result.add_argument("model", metavar="MODEL", help="the net, a prototxt with a data layer")
    result.add_argument("blobs", metavar="BLOB[,BLOB]", type=comma_list, help="names of blobs")
    result.add_argument("outputs", metavar="OUT[,OUT]", type=comma_list, help="what to write, one a blob")
    result.add_argument(
        "batches",
        metavar="N",
        type=positive,
        nargs="?",
        help="how many batches; of photos there is no need to say it",
    )
    result.add_argument(
        "form", metavar="lmdb|npz|h5", nargs="?", help="default: as OUT ends (.npz, .h5, .hdf5), else lmdb"
    )
    result.add_argument("mode", metavar="CPU|GPU", nargs="?", default="CPU", help="taken; the CPU computes")
    result.add_argument("device", metavar="ID", nargs="?", help="of a GPU; taken")
    options.add_photo(result.add_argument_group("of a net with one image for its input"))
    options.add_dialect(result)
    options.add_no_python_layers(result)
    options.add_output(result)


def _extract(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.cli.stderr_log import log
    from caffe_compat.fast_rcnn.images import photo_paths
    from caffe_compat.tools.features import extract

    quiet = args.quiet or args.json
    form = _form(args)
    paths = photo_paths(args.photo)
    say_no_gpu((args.device or "0") if args.mode == "GPU" else "")
    with log(quiet):
        net = caffe.Net(args.model, caffe.TEST, dialect=args.dialect, python_layers=console.may_import(args))
        show.weights(net.copy_from(args.weights), quiet)
        passes = _batches(args, net, paths, quiet) if paths else args.batches
        counts = extract(net, args.blobs, args.outputs, passes, form)
    if args.json:
        rows = zip(args.blobs, args.outputs, counts, strict=True)
        of_photos = {"photos": paths} if paths else {}
        print(
            json.dumps(
                [{"blob": blob, "written": path, "items": count, **of_photos} for blob, path, count in rows]
            )
        )


def _form(args: argparse.Namespace) -> str:
    """Which form to write. Raises CaffeCompatError for arguments that do not go together."""
    from caffe_compat.errors import CaffeCompatError, DataError
    from caffe_compat.tools.features import FORMATS

    if bool(args.batches) == bool(args.photo):
        raise CaffeCompatError("give N, the number of batches of the data layer, or photos with --photo")
    photos.check_options(args)
    if args.form is None:
        endings = {OF_ENDING.get(os.path.splitext(path)[1].lower(), "lmdb") for path in args.outputs}
        if len(endings) > 1:
            raise CaffeCompatError(f"the outputs end in different ways; say the form, {', '.join(FORMATS)}")
        return endings.pop()
    if args.form not in FORMATS:
        raise DataError(f"'{args.form}' cannot be written; the formats are {', '.join(FORMATS)}")
    return args.form


def _batches(args: argparse.Namespace, net: Net, paths: list[str], quiet: bool) -> Iterator[None]:
    """Feed the photos to the net, as many at once as its input has; yields when a batch is there."""
    from caffe_compat.cli import show
    from caffe_compat.fast_rcnn.feed import set_inputs

    photo_input = photos.PhotoInput(args, net)
    size = net.blobs[photo_input.name].shape[0]
    if not quiet:
        show.notes([f"data: {len(paths)} photo(s)", photo_input.told])
    with console.progress(len(paths), quiet) as bar:
        for start in range(0, len(paths), size):
            batch = paths[start : start + size]
            set_inputs(net, {photo_input.name: photo_input.read(batch)})
            yield
            for path in batch:
                bar(os.path.basename(path))
