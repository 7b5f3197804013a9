"""caffe-compat classify: says of what class photos are."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe_compat.cli import check_finite, console, options, photos
from caffe_compat.cli.parser import positive

if TYPE_CHECKING:
    from caffe_compat.errors import DataError
    from caffe_compat.net import Net
    from caffe_compat.tools.labels import Label

DESCRIPTION = """\
Say of what class photos are: the best classes of each, by a net whose input is an image and whose output has a score
for each class, such as a deploy.prototxt. Photos become its input as by pycaffe's Classifier: resized to --image-dims,
cropped in the centre, less --mean, times --scale.

A photo that cannot be read is reported, the others are done, and the exit code is 7."""

EXAMPLES = """\
examples:
  caffe-compat classify deploy.prototxt --weights F.caffemodel cat.jpg --mean 104,117,123
  caffe-compat classify deploy.prototxt --weights F.caffemodel photos/ --labels words.txt --top 3
  caffe-compat classify deploy.prototxt --weights F.caffemodel photos/ --mean mean.binaryproto \\
                        --image-dims 256,256 --oversample --json"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}
IMAGENET = 1000  # classes, and the mean that most nets of them subtract
IMAGENET_MEAN = "104,117,123"


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_classify)
    result.add_argument("net", metavar="NET", help="a deploy.prototxt")
    result.add_argument("photos", metavar="PHOTO", nargs="+", help="a photo, a folder or a glob pattern")
    options.add_weights(result, required=True)
    result.add_argument(
        "--labels",
        metavar="F",
        help="the names of the classes: a file with one a line (words such as n01440764 before them, as in "
        "synset_words.txt, are left out), or names with commas between; default: their numbers, from 0",
    )
    result.add_argument("--top", type=positive, default=5, metavar="N", help="how many classes, default: 5")
    options.add_preprocessing(result)
    result.add_argument(
        "--image-dims",
        type=_dims,
        metavar="H,W",
        help="resize photos to this height and width before they are cropped; default: to the net's input",
    )
    result.add_argument(
        "--oversample",
        action="store_true",
        help="the mean over ten crops: the corners, the centre, and these mirrored",
    )
    result.add_argument(
        "--batch", type=positive, metavar="N", help="photos at once; default: as the net says"
    )
    result.add_argument(
        "--blob", metavar="NAME", help="the blob with the scores; default: the only output, or Softmax's"
    )
    options.add_dialect(result)
    options.add_no_python_layers(result)
    options.add_check_finite(result)
    options.add_computing(result)
    options.add_output(result)


def _dims(text: str) -> tuple[int, int]:
    height, _, width = text.partition(",")
    return positive(height), positive(width or height)


def _classify(args: argparse.Namespace) -> None:
    import caffe_compat as caffe
    from caffe_compat.cli import show
    from caffe_compat.errors import DataError
    from caffe_compat.fast_rcnn.images import photo_paths
    from caffe_compat.tools.labels import read_labels

    quiet = args.quiet or args.json
    if not quiet:  # whoever waits sees that something happens
        print(f"caffe-compat classify: {args.net}", flush=True)
    paths = photo_paths(args.photos)
    labels = read_labels(args.labels) if args.labels else None
    console.set_computing(args)
    net = caffe.Net(args.net, caffe.TEST, dialect=args.dialect, python_layers=console.may_import(args))
    classifier = PhotoClassifier(args, net)
    show.weights(net.copy_from(args.weights), quiet)
    if not quiet:
        show.notes(classifier.notes(labels is not None))
    with check_finite.checking(args, net):
        results, errors = _run(args, classifier, paths, labels, quiet)
    if args.json:
        print(json.dumps(_as_json(args, results, errors), indent=2))
    else:
        _print(args, results)
    if errors:
        raise DataError(f"{len(errors)} of {len(paths)} photos could not be done, see above")


class PhotoClassifier:
    """A net with what the arguments say of its photos. Raises DataError where these do not go together."""

    def __init__(self, args: argparse.Namespace, net: Net):
        from caffe_compat.errors import DataError

        self.args, self.net = args, net
        self.name, shape = photos.image_input(net)
        self.output = _output(net, args.blob)
        if args.batch:
            shape = args.batch, *shape[1:]
            net.blobs[self.name].reshape(*shape)
            net.reshape()
        self.shape = shape
        self.dims = args.image_dims or shape[2:]
        if self.dims[0] < shape[2] or self.dims[1] < shape[3]:
            raise DataError(
                f"--image-dims {self.dims[0]},{self.dims[1]} is smaller than the net's input, {shape[2]} x {shape[3]} "
                "(height x width), which is cropped from it"
            )
        self._transformer = photos.transformer(args, self.name, shape)

    @property
    def batch(self) -> int:
        """How many photos go into the net at once."""
        return self.shape[0]

    @property
    def classes(self) -> int:
        """How many classes there are. Raises DataError where the output has no score for each."""
        from caffe_compat.errors import DataError
        from caffe_compat.text import dims

        shape = self.net.blobs[self.output].shape
        if len(shape) < 2 or shape[0] != self.shape[0] or int(np.prod(shape[2:])) != 1:
            raise DataError(
                f"output '{self.output}' has the shape {dims(shape)} for {self.shape[0]} photo(s), no score for each "
                "class; give another --blob (`detect` finds objects, `extract --photo` writes what blobs hold)"
            )
        return shape[1]

    def notes(self, named: bool) -> list[str]:
        """How photos are fed, in lines; named: whether the classes have names."""
        resized = f"stretched to {photos.size_told(self.dims)}"
        if self.args.oversample:
            resized += f", ten crops of {photos.size_told(self.shape[2:])}"
        elif tuple(self.dims) != tuple(self.shape[2:]):
            resized += f", cropped to {photos.size_told(self.shape[2:])}"
        lines = [photos.transformer_told(self.args, self.shape, resized)]
        if self.classes == IMAGENET and self.args.mean is None:
            lines.append(f"most nets for ImageNet's 1000 classes want --mean {IMAGENET_MEAN}")
        return lines

    def __call__(self, images: list[np.ndarray]) -> np.ndarray:
        """N x classes, for N images (height x width x channels, in [0, 1])."""
        from caffe_compat.pycaffe.image_input import predict

        scores = predict(
            self.net,
            self._transformer,
            images,
            self.dims,
            self.shape[2:],
            self.output,
            self.args.oversample,
        )
        return scores.reshape(len(images), -1)


def _output(net: Net, said: str | None) -> str:
    """The blob with the scores: what is said; else the only output, or the only one that a Softmax makes."""
    from caffe_compat.errors import DataError

    if said:
        if said not in net.blobs:
            raise DataError(f"there is no blob '{said}'; the outputs are {', '.join(net.outputs)}")
        return said
    softmax = [
        name
        for i, layer in enumerate(net.layers)
        if layer.type == "Softmax"
        for name in net.top_names[net.layer_names[i]]
        if name in net.outputs
    ]
    found = softmax if len(softmax) == 1 else net.outputs
    if len(found) != 1:
        raise DataError(f"the net has {len(found)} outputs, {', '.join(found)}; say which with --blob")
    return found[0]


def _run(
    args: argparse.Namespace,
    classifier: PhotoClassifier,
    paths: list[str],
    labels: list[Label] | None,
    quiet: bool,
) -> tuple[list[dict[str, Any]], list[DataError]]:
    """What each photo is, best class first, and the photos that cannot be read."""
    from caffe_compat.errors import DataError

    results: list[dict[str, Any]] = []
    errors: list[DataError] = []
    count = classifier.classes
    if labels is not None and len(labels) != count:
        raise DataError(f"there are {len(labels)} names, and the net has {count} classes", file=args.labels)
    with console.progress(len(paths), quiet) as bar:
        for start in range(0, len(paths), classifier.batch):
            read: dict[str, np.ndarray] = {}
            for path in paths[start : start + classifier.batch]:
                try:
                    read[path] = photos.load(path, classifier.shape[1])
                except DataError as error:
                    errors.append(error)
                    print(f"{error.file}: error: {error.message}", file=sys.stderr)
            if read:
                for path, scores in zip(read, classifier(list(read.values())), strict=True):
                    results.append({"photo": path, "classes": _best(scores, labels, args.top)})
            for path in paths[start : start + classifier.batch]:
                bar(os.path.basename(path))
    return results, errors


def _best(scores: np.ndarray, labels: list[Label] | None, top: int) -> list[dict[str, Any]]:
    from caffe_compat.errors import DataError

    if not np.isfinite(scores).all():
        raise DataError("what the net answers is not finite; are these the right weights?")
    return [
        {
            "label": int(i),
            **({} if labels is None else labels[i].as_dict()),
            "score": float(scores[i]),
        }
        for i in np.argsort(-scores, kind="stable")[:top]
    ]


def _as_json(
    args: argparse.Namespace, results: list[dict[str, Any]], errors: list[DataError]
) -> dict[str, Any]:
    return {
        "net": args.net,
        "photos": results,
        "errors": [{"photo": error.file, "message": error.message} for error in errors],
    }


def _print(args: argparse.Namespace, results: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not results:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("photo", overflow="fold")
    table.add_column("label", justify="right", no_wrap=True)
    if args.labels:
        table.add_column("class", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    names = [os.path.basename(one["photo"]) for one in results]
    if len(set(names)) < len(names):
        names = [one["photo"] for one in results]
    for name, one in zip(names, results, strict=True):
        for found in one["classes"]:
            middle = [Text(found["class"])] if args.labels else []
            table.add_row(Text(name), str(found["label"]), *middle, f"{found['score']:.4f}")
    console.out().print(table)
