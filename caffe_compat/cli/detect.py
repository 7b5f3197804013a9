"""caffe-compat detect: finds objects in photos."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import check_finite, configuration, console, options

if TYPE_CHECKING:
    from caffe_compat.errors import DataError
    from caffe_compat.fast_rcnn.config import Config
    from caffe_compat.fast_rcnn.detect import Detector
    from caffe_compat.fast_rcnn.detector import PhotoDetector
    from caffe_compat.fast_rcnn.single_shot import SingleShotDetector
    from caffe_compat.net import Net

DESCRIPTION = """\
Find objects in photos, and print their classes, scores and boxes (x1 y1 x2 y2 in pixels from 0, both corners inside).
The net is a test net of Fast R-CNN (inputs data and rois) or Faster R-CNN (inputs data and im_info, proposes boxes
itself), or one of SSD or YOLO (its input is a photo, its last layer a DetectionOutput, YoloDetectionOutput or
Yolov3DetectionOutput).

The classes are those of --classes, or those that the net was trained on (F.classes.txt, beside F.caffemodel).

A photo that cannot be read is reported, the others are done, and the exit code is 7."""

EXAMPLES = """\
examples:
  caffe-compat detect test.prototxt --weights F.caffemodel dog.jpg --draw found
  caffe-compat detect test.prototxt --weights F.caffemodel photos/ --threshold 0.1 --output f.json
  caffe-compat detect test.prototxt --weights F.caffemodel photos/ --classes bolt,gear
  caffe-compat detect test.prototxt --weights F.caffemodel '*.jpg' --set TEST.SCALES '(480, 600)'
  caffe-compat detect ssd_deploy.prototxt --weights F.caffemodel photos/ --mean 104,117,123"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_detect)
    result.add_argument(
        "net", metavar="NET", help="a test.prototxt of Fast or Faster R-CNN, a deploy.prototxt of SSD or YOLO"
    )
    result.add_argument("photos", metavar="PHOTO", nargs="+", help="a photo, a folder or a glob pattern")
    options.add_weights(result, required=True)
    options.add_classes(result, "those beside the weights (F.classes.txt), or VOC's")
    options.add_detector(result, threshold=0.8, single_shot=0.5)
    output = result.add_argument_group("output")
    output.add_argument("--output", metavar="F.json", help="write the detections in COCO's result format")
    output.add_argument(
        "--draw", metavar="FOLDER", help="write the photos there, with boxes, classes and scores"
    )
    options.add_output(output)


def make_detector(args: argparse.Namespace, quiet: bool) -> PhotoDetector:
    """The net with its weights, and how it is used; prints which params were loaded unless quiet."""
    from caffe_compat.cli import show
    from caffe_compat.fast_rcnn.single_shot import detection_layer

    console.set_computing(args)
    cfg = configuration.read(args)
    net = configuration.test_net(args, cfg)
    single_shot = detection_layer(net) is not None
    _settle(args, single_shot)
    detector = _single_shot(args, net, quiet) if single_shot else _fast_rcnn(args, net, cfg)
    show.weights(net.copy_from(args.weights), quiet)
    return detector


OF_SINGLE_SHOT = ("mean", "scale", "swap", "letterbox")
OF_FAST_RCNN = ("proposals", "stages", "nms_rule", "cfg", "set")


def _settle(args: argparse.Namespace, single_shot: bool) -> None:
    """Give what is not said the default of nets of this kind. Raises CaffeCompatError for what does not go with it."""
    from caffe_compat.errors import CaffeCompatError

    for name in OF_FAST_RCNN if single_shot else OF_SINGLE_SHOT:
        if getattr(args, name) not in (None, False, []):
            kinds = ("Fast R-CNN", "SSD or YOLO") if single_shot else ("SSD and YOLO", "Fast R-CNN")
            raise CaffeCompatError(
                f"--{name.replace('_', '-')} is for {kinds[0]} nets, and this is one of {kinds[1]}"
                + ("" if single_shot else ", whose mean is --set PIXEL_MEANS"),
                file=args.net,
            )
    if args.threshold is None:
        args.threshold = args.thresholds[single_shot]
    if args.max_per_image is None:
        args.max_per_image = 0 if single_shot else 100
    args.stages = 1 if args.stages is None else args.stages
    if args.stages < 1 or args.max_per_image < 0 or not 0 <= args.threshold < 1:
        raise CaffeCompatError(
            "--stages is 1 or more, --max-per-image 0 or more, --threshold from 0 to below 1"
        )


def _fast_rcnn(args: argparse.Namespace, net: Net, cfg: Config) -> Detector:
    from caffe_compat.fast_rcnn.detect import Detector

    return Detector(net, cfg, args.threshold, args.max_per_image, args.nms_rule, args.stages)


def _single_shot(args: argparse.Namespace, net: Net, quiet: bool) -> SingleShotDetector:
    """Says how photos are fed to the net, unless quiet."""
    from caffe_compat.cli import photos, show
    from caffe_compat.fast_rcnn.single_shot import SingleShotDetector

    preprocessing, whose = photos.preprocessing_of(args, net)
    detector = SingleShotDetector(net, preprocessing, args.threshold, args.max_per_image)
    if not quiet:
        show.notes([photos.detector_told(detector, whose)])
    return detector


def _detect(args: argparse.Namespace) -> None:
    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat detect: {args.net}", flush=True)
    from caffe_compat.cli.dataset import net_classes
    from caffe_compat.errors import DataError
    from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
    from caffe_compat.fast_rcnn.detections import write_coco
    from caffe_compat.fast_rcnn.images import photo_paths

    paths = photo_paths(args.photos)
    _check_places(args, paths)
    detector = make_detector(args, quiet)
    classes = net_classes(args, detector.num_classes)
    with check_finite.checking(args, detector.net):
        results, errors = _run(args, detector, classes, paths, quiet)
    if args.output:
        found = {Path(one["photo"]).stem: one["found"] for one in results}
        write_coco(found, args.output, CocoNumbers(classes), named=True)
    if args.json:
        print(json.dumps(_as_json(args, classes, results, errors), indent=2))
    else:
        _print(args, classes, results)
    if errors:
        raise DataError(f"{len(errors)} of {len(paths)} photos could not be done, see above")


def _check_places(args: argparse.Namespace, paths: list[str]) -> None:
    """Raise CaffeCompatError where results cannot be written, before the work is done."""
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.files import check_writable

    stems = [Path(path).stem for path in paths]
    if (args.output or args.draw) and len(set(stems)) < len(stems):
        twice = next(stem for i, stem in enumerate(stems) if stem in stems[:i])
        raise CaffeCompatError(f"two photos are named '{twice}', and results go by that name; rename one")
    if args.output:
        check_writable(args.output)
    if args.draw:
        try:
            Path(args.draw).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaffeCompatError(f"cannot make the folder: {error.strerror}", file=args.draw) from error


def _run(
    args: argparse.Namespace, detector: PhotoDetector, classes: Sequence[str], paths: list[str], quiet: bool
) -> tuple[list[dict], list[DataError]]:
    from caffe_compat.errors import DataError
    from caffe_compat.fast_rcnn.draw import draw, write_photo
    from caffe_compat.fast_rcnn.read_ahead import read_ahead

    results, errors = [], []
    with console.progress(len(paths), quiet) as bar:
        photos = read_ahead(paths, args.proposals, takes_proposals=detector.takes_proposals)
        for path, photo in zip(paths, photos, strict=True):
            if isinstance(photo, DataError):
                errors.append(photo)
                print(f"{photo.file}: error: {photo.message}", file=sys.stderr)
            else:
                found = detector(photo.image, photo.proposals)
                searched = {"proposals": photo.seconds} if detector.takes_proposals else {}
                results.append(
                    {
                        "photo": path,
                        **({} if detector.proposals is None else {"proposals": detector.proposals}),
                        "seconds": {**searched, **detector.seconds},
                        "found": found,
                    }
                )
                if args.draw:
                    target = Path(args.draw) / f"{Path(path).stem}_detected.jpg"
                    write_photo(draw(photo.image, found, classes), target)
            bar(os.path.basename(path))
    return results, errors


def _as_json(
    args: argparse.Namespace, classes: Sequence[str], results: list[dict], errors: list[DataError]
) -> dict[str, Any]:
    photos = [
        {
            **{key: value for key, value in one.items() if key != "found"},
            "detections": [
                {
                    "class": classes[int(label)],
                    "score": score,
                    "box": [x1, y1, x2, y2],
                }
                for label, x1, y1, x2, y2, score in one["found"].tolist()
            ],
        }
        for one in results
    ]
    return {
        "net": args.net,
        "photos": photos,
        "errors": [{"photo": error.file, "message": error.message} for error in errors],
    }


def _print(args: argparse.Namespace, classes: Sequence[str], results: list[dict]) -> None:
    from rich.table import Table

    out = console.out()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("photo", overflow="fold")
    table.add_column("class", no_wrap=True)
    for name in ("score", "x1", "y1", "x2", "y2"):
        table.add_column(name, justify="right", no_wrap=True)
    names = [os.path.basename(one["photo"]) for one in results]
    if len(set(names)) < len(names):
        names = [one["photo"] for one in results]
    for photo, one in zip(names, results, strict=True):
        if not len(one["found"]):
            table.add_row(photo, f"nothing above {args.threshold:g}", style="dim")
        for label, *box, score in sorted(one["found"].tolist(), key=lambda row: -row[5]):
            name = classes[int(label)]
            table.add_row(photo, name, f"{score:.3f}", *(f"{corner:.0f}" for corner in box))
    if results:
        out.print(table)
    if args.quiet or not results:
        return
    rois = ""
    if "proposals" in results[0]:
        rois = f", {sum(one['proposals'] for one in results) / len(results):.0f} proposals and"
    mean = {
        stage: sum(one["seconds"][stage] for one in results) / len(results) for stage in results[0]["seconds"]
    }
    times = ", ".join(f"{stage} {1000 * seconds:.0f} ms" for stage, seconds in mean.items())
    out.print(f"{len(results)} photo(s){rois or ','} on average {times}", markup=False, soft_wrap=True)
    for name in (args.output, args.draw):
        if name:
            out.print(f"wrote {name}", markup=False, soft_wrap=True)
