"""caffe-compat evaluate: finds objects in an image set, and says how well."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import check_finite, configuration, console, options
from caffe_compat.cli.detect import make_detector
from caffe_compat.text import finite

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.evaluate import Evaluation, Found
    from caffe_compat.fast_rcnn.voc import Devkit

DESCRIPTION = """\
Find the objects in all photos of an image set of a VOC devkit, and print the average precision of each class
under both of VOC's metrics: of 11 recalls (VOC07, until 2009) and the area under the curve (since 2010).

The detections of each photo are kept in OUTPUT/detections.jsonl at once: run again, an interrupted run goes on.
VOC's result files are written beside it."""

EXAMPLES = """\
examples:
  caffe-compat evaluate test.prototxt --weights F.caffemodel --devkit VOCdevkit2007 --image-set test
  caffe-compat evaluate --detections found.json --devkit VOCdevkit2007 --plot curves"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_evaluate)
    result.add_argument("net", metavar="NET", nargs="?", help="a test.prototxt of Fast or Faster R-CNN")
    options.add_weights(result)
    result.add_argument(
        "--detections", metavar="FILE", help="evaluate what an earlier run found, or detect --output wrote"
    )
    options.add_devkit(result, image_set="test", required=True)
    options.add_detector(result, threshold=0.05)
    output = result.add_argument_group("output")
    output.add_argument(
        "--output", metavar="FOLDER", help="for detections and result files, default: WEIGHTS_VOCyear_set"
    )
    output.add_argument(
        "--plot", metavar="FOLDER", help="draw precision-recall curves there (needs the extra 'plot')"
    )
    options.add_output(output)


def _evaluate(args: argparse.Namespace) -> None:
    from caffe_compat.errors import CaffeCompatError

    if bool(args.detections) == bool(args.net) or bool(args.net) != bool(args.weights):
        raise CaffeCompatError("give a net and its --weights, or --detections of an earlier run")
    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat evaluate: {args.detections or args.net}", flush=True)
    from caffe_compat.fast_rcnn.detections import read_detections
    from caffe_compat.fast_rcnn.evaluate import evaluate, write_results
    from caffe_compat.fast_rcnn.voc import Devkit

    if args.plot:
        from caffe_compat.cli.curves import check_plot

        check_plot(args.plot)
    kit = Devkit(args.devkit, args.year, args.image_set)
    folder = args.output
    if args.detections:
        found: Found = read_detections(args.detections, kit)
    else:
        folder = folder or f"{Path(args.weights).stem}_VOC{args.year}_{args.image_set}"
        found = _find(args, kit, folder, quiet)
    if folder:
        write_results(found, folder, args.image_set, kit.classes)
    with console.progress(len(kit.image_ids), quiet) as bar:
        evaluation = evaluate(found, kit, on_image=bar)
    if args.plot:
        from caffe_compat.cli.curves import plot

        plot(evaluation, args.plot)
    _report(args, kit, found, evaluation, [place for place in (folder, args.plot) if place])


def _find(args: argparse.Namespace, kit: Devkit, folder: str, quiet: bool) -> Found:
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.detections import DetectionsFile, detect_all, digest

    cfg = configuration.read(args)
    detector = make_detector(args, cfg, quiet)
    searched = "RPN" if detector.has_rpn else "selective search"
    run = {
        "net": digest(args.net),
        "weights": digest(args.weights),
        "photos": str(kit.folder.resolve()),
        "proposals": digest(args.proposals) if args.proposals else searched,
        "configuration": json.loads(
            json.dumps([asdict(cfg.TEST), cfg.DEDUP_BOXES, cfg.PIXEL_MEANS])  # tuples become lists
        ),
        "threshold": args.threshold,
        "max-per-image": args.max_per_image,
        "stages": args.stages,
        "nms-rule": args.nms_rule,
    }
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaffeCompatError(f"cannot make the folder: {error.strerror}", file=folder) from error
    with DetectionsFile(Path(folder) / "detections.jsonl", run) as file:
        before = sum(image_id in file.found for image_id in kit.image_ids)
        if before and not quiet:
            print(f"{before} of {len(kit.image_ids)} photos are done already, by an earlier run")
        with (
            check_finite.checking(args, detector.net),
            console.progress(len(kit.image_ids) - before, quiet) as bar,
        ):
            return detect_all(detector, kit, file, args.proposals, bar)


def _report(
    args: argparse.Namespace, kit: Devkit, found: Found, evaluation: Evaluation, written: list[str]
) -> None:
    some = evaluation.with_objects
    if args.json:
        print(json.dumps(finite(_as_json(args, found, evaluation)), indent=2))
        return
    from rich.table import Table

    out = console.out()
    if not args.quiet:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("class", no_wrap=True)
        for name in ("objects", "detections", "AP VOC07", "AP area"):
            table.add_column(name, justify="right", no_wrap=True)
        for one in evaluation.classes:
            area = f"{one.ap_area:.4f}" if one.objects else "-"
            cells = (str(one.objects), str(len(one.recall)), f"{one.ap_07:.4f}", area)
            table.add_row(one.name, *cells, style="" if one.objects else "dim")
        out.print(table)
    if some.classes:
        means = f"VOC07 {some.mean_ap_07:.4f}, area {some.mean_ap_area:.4f}"
        out.print(
            f"mean AP of the {len(some.classes)} classes that have objects: {means}",
            markup=False,
            soft_wrap=True,
        )
    if len(some.classes) < len(evaluation.classes):
        out.print(f"of all classes, those without objects as 0: VOC07 {evaluation.mean_ap_07:.4f}")
    if not args.quiet:
        out.print(
            f"{len(kit.image_ids)} photos of VOC{args.year} {args.image_set}", markup=False, soft_wrap=True
        )
        for place in written:
            out.print(f"wrote {place}", markup=False, soft_wrap=True)


def _as_json(args: argparse.Namespace, found: Found, evaluation: Evaluation) -> dict[str, Any]:
    some = evaluation.with_objects
    classes = [
        {
            "class": one.name,
            "objects": one.objects,
            "detections": len(one.recall),
            "ap_07": one.ap_07,
            "ap_area": one.ap_area,
        }
        for one in evaluation.classes
    ]
    return {
        "devkit": args.devkit,
        "year": args.year,
        "image_set": args.image_set,
        "images": len(found),
        "classes": classes,
        "mean_ap_07": evaluation.mean_ap_07,
        "mean_ap_area": evaluation.mean_ap_area,
        "mean_ap_07_of_classes_with_objects": some.mean_ap_07 if some.classes else None,
        "mean_ap_area_of_classes_with_objects": some.mean_ap_area if some.classes else None,
    }
