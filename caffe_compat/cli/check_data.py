"""caffe-compat check-data: what is wrong with a data set, and what is in it."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.table import Table

from caffe_compat.cli import configuration, console, options, workers

if TYPE_CHECKING:
    from caffe_compat.engines.group import Group
    from caffe_compat.fast_rcnn.check import Checked
    from caffe_compat.fast_rcnn.dataset import Dataset
    from caffe_compat.fast_rcnn.faults import Fault

NAMED = 3  # faults of a kind that are printed

HELP: dict[str, Any] = {
    "description": "Look for all faults of a data set at once: photos and annotations that cannot be read, boxes not\n"
    "inside their photo, annotations of photos of another size, photos that EXIF turns, boxes that count from 0,\n"
    "objects too small for a net; and count what is there. Exits with 1 where training would end with an error.\n"
    "Several workers, as torchrun starts them, share the images out.",
    "epilog": "examples:\n  caffe-compat check-data --devkit screws --classes bolt,gear\n"
    "  caffe-compat check-data --data coco:annotations.json:photos --html faults.html\n"
    "  caffe-compat check-data --devkit VOCdevkit2007 --proposals voc_2007_trainval.mat",
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_check)
    options.add_dataset(result.add_argument_group("data"), image_set="trainval")
    net = result.add_argument_group("the net that is to learn from it")
    net.add_argument(
        "--stride", type=int, default=16, metavar="N", help="of its last map, in pixels; default: 16, VGG's"
    )
    options.add_configuration(net)
    proposals = result.add_argument_group("proposals: how many objects they cover")
    options.add_proposals(proposals)
    proposals.add_argument(
        "--search",
        action="store_true",
        help="take those that training would: from selective search, about a second a photo",
    )
    output = result.add_argument_group("output")
    options.add_html(output)
    options.add_output(output)


def _check(args: argparse.Namespace) -> int:
    with workers.sharing(args) as group:
        return _check_in(group, args)


def _check_in(group: Group, args: argparse.Namespace) -> int:
    """Look at the images together with all workers of the group; its first one tells."""
    from caffe_compat.errors import CaffeCompatError
    from caffe_compat.fast_rcnn.check import check
    from caffe_compat.fast_rcnn.proposals import proposals_from
    from caffe_compat.files import check_writable

    quiet = args.quiet or args.json
    if args.html:
        check_writable(args.html)
    if args.stride < 1:
        raise CaffeCompatError(f"--stride is {args.stride}; expected pixels, 1 or more")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        dataset = _open(args)
    notes = [str(one.message) for one in told]
    cfg = configuration.read(args)
    wanted = args.search or args.proposals
    find = proposals_from(args.proposals, dataset.image_ids) if wanted else None
    sizes = cfg.TRAIN.SCALES[0], cfg.TRAIN.MAX_SIZE
    with console.progress(len(group.share(dataset.image_ids)), quiet) as bar:
        checked = check(dataset, args.stride, sizes, find, bar, group)
    if args.skip_other_classes:
        checked = replace(checked, unknown={})
    if args.html:
        from caffe_compat.report.data_page import write

        write(checked, args.html)
    if args.json:
        print(json.dumps(_as_dict(checked, notes), indent=2))
    else:
        _print(checked, notes, args)
    return int(checked.has_errors and group.rank == 0)


def _open(args: argparse.Namespace) -> Dataset:
    """The data set, of which no object is refused for its class.

    A devkit's classes are VOC's where it has no others; else, without --classes, all that it has.
    """
    from caffe_compat.cli.dataset import needed_dataset
    from caffe_compat.fast_rcnn.classes import BACKGROUND, ClassIndex, is_background, option, spelt_once
    from caffe_compat.fast_rcnn.voc import Devkit

    dataset = needed_dataset(args)
    if isinstance(dataset, Devkit) and args.classes is None:  # VOC's are its default
        index, names = ClassIndex(dataset.classes), spelt_once(dataset.annotated_names)
        own = sorted(name for name in names if not is_background(name))
        if own and any(index.get(name) is None for name in names):
            dataset = needed_dataset(args, (BACKGROUND, *own))
            warnings.warn(f"the classes are not VOC's: training needs {option(own)}", stacklevel=2)
    if hasattr(dataset, "skip_other_classes"):
        dataset.skip_other_classes = True  # `Checked.unknown` has them
    return dataset


# ---- what is printed ------------------------------------------------------------------------------------------


def _print(checked: Checked, notes: Sequence[str], args: argparse.Namespace) -> None:
    from caffe_compat.fast_rcnn.classes import is_background

    out = console.out()
    if not args.quiet:
        out.print(f"{checked.name}: {checked.images} images\n", markup=False)
        out.print(_classes(checked, args.stride))
    for note in notes:
        out.print(f"note: {note}", markup=False)
    for name, count in checked.unknown.items():
        way = "rename it, for output 0 of a net is the background," if is_background(name) else "name it,"
        out.print(
            f"\nerror: {count} object(s) of the class '{name}', which is none of these; {way} or leave them out with "
            "--classes and --skip-other-classes",
            markup=False,
        )
    for image_id, count in checked.repeated.items():
        out.print(f"\nwarning: the image '{image_id}' stands {count} times in the image set", markup=False)
    for kind, faults in _by_kind(checked).items():
        _print_kind(kind, faults)
    if not args.quiet:
        out.print(f"\n{_verdict(checked)}", markup=False)
        if args.html:
            out.print(f"wrote {args.html}", markup=False)


def _classes(checked: Checked, stride: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("class", max_width=30, overflow="fold")
    covered = any(one.recall is not None for one in checked.classes)
    titles = ["images", "objects", "left out", "median side", f"below stride {stride}"]
    for title in [*titles, "covered"] if covered else titles:
        table.add_column(title, justify="right")
    for one in checked.classes:
        cells = [one.images, one.objects, one.ignored or ""]
        side = "" if one.median_side is None else f"{one.median_side:.0f}"
        recall = "" if one.recall is None else f"{100 * one.recall:.1f} %"
        row = [one.name, *map(str, cells), side, str(one.small or "")]
        table.add_row(*row, *([recall] if covered else []))
    return table


def _print_kind(kind: str, faults: Sequence[Fault]) -> None:
    from caffe_compat.fast_rcnn.faults import KINDS

    out, about = console.out(), KINDS[kind]
    images = len({fault.image_id for fault in faults})
    way = f": {about.way_out}" if about.way_out else ""
    level = "error" if about.is_error else "warning"
    out.print(f"\n{level}: {about.title}, {len(faults)} in {images} image(s){way}", markup=False)
    for fault in faults[:NAMED]:
        out.print(f"  {fault.error}", markup=False, overflow="fold")
    if len(faults) > NAMED:
        out.print(f"  and {len(faults) - NAMED} more (--json has all)", markup=False)


def _verdict(checked: Checked) -> str:
    bad = {fault.image_id for fault in checked.faults if fault.is_error}
    if bad:
        return (
            f"{len(bad)} of {checked.images} images cannot be learned from; --skip-bad-images leaves them out"
        )
    if checked.unknown:
        return "training would end with an error"
    if not any(one.objects for one in checked.classes):
        return "no photo has an object to learn from"
    return "nothing stands in the way of training"


def _by_kind(checked: Checked) -> dict[str, list[Fault]]:
    """The faults by kind, in the order of KINDS: errors first."""
    from caffe_compat.fast_rcnn.faults import KINDS

    groups = {kind: [fault for fault in checked.faults if fault.kind == kind] for kind in KINDS}
    return {kind: faults for kind, faults in groups.items() if faults}


def _as_dict(checked: Checked, notes: Sequence[str]) -> dict[str, Any]:
    from caffe_compat.fast_rcnn.faults import KINDS

    classes = [
        {
            **{key: value for key, value in asdict(one).items() if key != "sides"},
            "median_side": one.median_side,
            "recall": one.recall,
        }
        for one in checked.classes
    ]
    faults = [
        {
            "kind": fault.kind,
            "error": fault.is_error,
            "image": fault.image_id,
            "file": fault.error.file,
            "message": fault.error.message,
            "box": fault.box,
        }
        for fault in checked.faults
    ]
    kinds = {
        kind: {
            "title": KINDS[kind].title,
            "error": KINDS[kind].is_error,
            "faults": len(those),
            "images": len({fault.image_id for fault in those}),
        }
        for kind, those in _by_kind(checked).items()
    }
    return {
        "data": checked.name,
        "images": checked.images,
        "has_errors": checked.has_errors,
        "classes": classes,
        "unknown_classes": checked.unknown,
        "repeated_images": checked.repeated,
        "kinds": kinds,
        "faults": faults,
        "notes": list(notes),
    }
