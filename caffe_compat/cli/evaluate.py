"""caffe-compat evaluate: finds objects in an image set, and says how well."""

from __future__ import annotations

import argparse
import json
import math
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import check_finite, console, options, workers
from caffe_compat.cli.detect import make_detector
from caffe_compat.text import finite

if TYPE_CHECKING:
    from caffe_compat.engines.group import Group
    from caffe_compat.fast_rcnn.dataset import Dataset
    from caffe_compat.fast_rcnn.detections import DetectionsFile
    from caffe_compat.fast_rcnn.detector import PhotoDetector
    from caffe_compat.fast_rcnn.evaluate import Evaluation, Found

DESCRIPTION = """\
Find the objects in all photos of a data set, and print the average precision of each class under both of VOC's
metrics: of 11 recalls (VOC07, until 2009) and the area under the curve (since 2010); for COCO's data, or with --coco,
by COCO's own measure too (needs the extra 'coco').

The classes are those of --classes, or those that the net was trained on (WEIGHTS.classes.txt, beside the weights).

The detections of each photo are kept in OUTPUT/detections.jsonl at once: run again, an interrupted run goes on.
VOC's result files are written beside it. Several workers, as torchrun starts them, share the photos out."""

EXAMPLES = """\
examples:
  caffe-compat evaluate test.prototxt --weights F.caffemodel --devkit VOCdevkit2007 --image-set test
  caffe-compat evaluate --detections found.json --devkit VOCdevkit2007 --plot curves
  caffe-compat evaluate test.prototxt --weights F.caffemodel --data coco:annotations.json:photos
  torchrun --nproc-per-node 2 -m caffe_compat evaluate test.prototxt --weights F.caffemodel \\
      --devkit VOCdevkit2007"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_evaluate)
    result.add_argument("net", metavar="NET", nargs="?", help="a net as detect takes it")
    options.add_weights(result)
    result.add_argument(
        "--detections", metavar="FILE", help="evaluate what an earlier run found, or detect --output wrote"
    )
    data = result.add_argument_group("data")
    options.add_dataset(data, image_set="test")
    options.add_skip_bad_images(data)
    options.add_detector(result, threshold=0.05, single_shot=0)
    output = result.add_argument_group("output")
    output.add_argument(
        "--output",
        metavar="FOLDER",
        help="for detections and result files, default: WEIGHTS_VOC2007_test and so on",
    )
    output.add_argument("--coco", action="store_true", help="by COCO's measure too, whatever the data's form")
    output.add_argument(
        "--plot", metavar="FOLDER", help="draw precision-recall curves there (needs the extra 'plot')"
    )
    options.add_output(output)


def _evaluate(args: argparse.Namespace) -> None:
    with workers.sharing(args) as group:
        _evaluate_in(group, args)


def _evaluate_in(group: Group, args: argparse.Namespace) -> None:
    """Find the objects together with all workers of the group; its first one does the rest."""
    from caffe_compat.errors import CaffeCompatError

    if bool(args.detections) == bool(args.net) or bool(args.net) != bool(args.weights):
        raise CaffeCompatError("give a net and its --weights, or --detections of an earlier run")
    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat evaluate: {args.detections or args.net}", flush=True)
    from caffe_compat.cli.dataset import image_set, label, needed_dataset, trained_classes
    from caffe_compat.fast_rcnn.build import usable_images
    from caffe_compat.fast_rcnn.coco_measure import coco_measure
    from caffe_compat.fast_rcnn.detections import (
        coco_numbers,
        read_classes_of_run,
        read_detections,
        write_coco,
    )
    from caffe_compat.fast_rcnn.evaluate import evaluate, write_results
    from caffe_compat.fast_rcnn.faults import named

    is_first = group.rank == 0
    if args.plot:
        from caffe_compat.cli.curves import check_plot

        check_plot(args.plot)
    known = read_classes_of_run(args.detections) if args.detections else trained_classes(args.weights)
    dataset = needed_dataset(args, known)
    by_coco = is_first and _is_coco_wanted(args, dataset)
    folder = args.output
    if args.net or args.skip_bad_images:  # whatever is wrong is said before the work
        with console.progress(len(group.share(dataset.image_ids)), quiet) as bar:
            dataset, left_out = usable_images(
                dataset, lambda name, count: bar(name), group, args.skip_bad_images
            )
        if left_out and is_first and not quiet:
            print(f"left out {len(left_out)} bad image(s): {named(left_out)}")
    if args.detections:
        found: Found = read_detections(args.detections, dataset)
    else:
        folder = folder or f"{Path(args.weights).stem}_{label(dataset)}"
        found = _find(args, dataset, folder, quiet, group)
    if not is_first:
        return
    if folder:
        write_results(found, folder, image_set(dataset), dataset.classes)
        if by_coco:
            write_coco(found, Path(folder) / "coco_results.json", coco_numbers(dataset))
    with console.progress(len(dataset.image_ids), quiet) as bar:
        evaluation = evaluate(found, dataset, on_image=bar)
    if args.plot:
        from caffe_compat.cli.curves import plot

        plot(evaluation, args.plot)
    numbers = coco_measure(found, dataset) if by_coco else None
    _report(args, dataset, found, evaluation, numbers, [place for place in (folder, args.plot) if place])


def _is_coco_wanted(args: argparse.Namespace, dataset: Dataset) -> bool:
    """Whether COCO's measure is computed: where it is asked for, and for COCO's data where its program is there."""
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.coco_measure import MISSING, is_there

    if is_there():
        return args.coco or hasattr(dataset, "coco_numbers")
    if args.coco:
        raise CaffeCompatError(MISSING)
    if hasattr(dataset, "coco_numbers"):
        print(f"VOC's measures only: {MISSING}", file=sys.stderr)
    return False


def _find(args: argparse.Namespace, dataset: Dataset, folder: str, quiet: bool, group: Group) -> Found:
    """What was found, for the first worker of the group."""
    from caffe_compat.fast_rcnn.detections import check_classes, detect_all

    detector = make_detector(args, quiet)
    check_classes(detector.num_classes, dataset)
    with _detections_file(args, dataset, folder, detector) if group.rank == 0 else nullcontext() as file:
        before = sum(image_id in file.found for image_id in dataset.image_ids) if file else 0
        if before and not quiet:
            print(f"{before} of {len(dataset.image_ids)} photos are done already, by an earlier run")
        with (
            check_finite.checking(args, detector.net),
            console.progress(len(dataset.image_ids) - before, quiet) as bar,
        ):
            return detect_all(detector, dataset, file, args.proposals, bar, group)


def _detections_file(
    args: argparse.Namespace, dataset: Dataset, folder: str, detector: PhotoDetector
) -> DetectionsFile:
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.detections import DetectionsFile, digest

    searched = "selective search" if detector.takes_proposals else "RPN"
    run = {
        "net": digest(args.net),
        "weights": digest(args.weights),
        "photos": str(dataset.photo(dataset.image_ids[0]).resolve().parent),
        "classes": list(dataset.classes[1:]),
        "proposals": digest(args.proposals) if args.proposals else searched,
        **detector.settings,
    }
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaffeCompatError(f"cannot make the folder: {error.strerror}", file=folder) from error
    return DetectionsFile(Path(folder) / "detections.jsonl", run)


def _report(
    args: argparse.Namespace,
    dataset: Dataset,
    found: Found,
    evaluation: Evaluation,
    by_coco: dict[str, float] | None,
    written: list[str],
) -> None:
    some = evaluation.with_objects
    if args.json:
        print(json.dumps(finite(_as_json(args, dataset, found, evaluation, by_coco)), indent=2))
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
    if by_coco is not None:
        numbers = [
            f"{name} {'-' if math.isnan(value) else f'{value:.4f}'}" for name, value in by_coco.items()
        ]
        out.print(f"COCO: {', '.join(numbers[:6])}", markup=False, soft_wrap=True)
        out.print(f"      {', '.join(numbers[6:])}", markup=False, soft_wrap=True)
    if not args.quiet:
        out.print(f"{dataset.name}: {len(dataset.image_ids)} photos", markup=False, soft_wrap=True)
        for place in written:
            out.print(f"wrote {place}", markup=False, soft_wrap=True)


def _as_json(
    args: argparse.Namespace,
    dataset: Dataset,
    found: Found,
    evaluation: Evaluation,
    by_coco: dict[str, float] | None,
) -> dict[str, Any]:
    from caffe_compat.cli.dataset import image_set

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
        "data": dataset.name,
        "image_set": image_set(dataset),
        "images": len(dataset.image_ids),
        "classes": classes,
        "mean_ap_07": evaluation.mean_ap_07,
        "mean_ap_area": evaluation.mean_ap_area,
        "mean_ap_07_of_classes_with_objects": some.mean_ap_07 if some.classes else None,
        "mean_ap_area_of_classes_with_objects": some.mean_ap_area if some.classes else None,
        "coco": by_coco,
    }
