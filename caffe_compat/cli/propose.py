"""caffe-compat propose: writes the boxes that a region proposal network proposes for a data set."""

from __future__ import annotations

import argparse
import json
from typing import Any

from caffe_compat.cli import check_finite, configuration, console, options

DESCRIPTION = """\
Write the boxes that the test net of a region proposal network (inputs data and im_info, blob rois) proposes for all
photos of a data set, into an .npz with an array for each image. train and run-prototxt (with --set
TRAIN.PROPOSAL_METHOD rpn), evaluate and detect take it as --proposals.

TEST.RPN_PRE_NMS_TOP_N and TEST.RPN_POST_NMS_TOP_N say how many boxes there are, before and after non-maximum
suppression: 6000 and 300 by default; the reference trains with all (-1) and 2000."""

EXAMPLES = """\
examples:
  caffe-compat propose rpn_test.pt --weights rpn.caffemodel --devkit VOCdevkit2007 --output p.npz \\
               --set TEST.RPN_PRE_NMS_TOP_N -1 --set TEST.RPN_POST_NMS_TOP_N 2000
  caffe-compat propose rpn_test.pt --weights run/final.caffemodel --devkit VOCdevkit2007 \\
               --image-set test --output test.npz
  caffe-compat evaluate rfcn_test.pt --weights run/final.caffemodel --devkit VOCdevkit2007 \\
               --proposals test.npz"""

HELP: dict[str, Any] = {
    "description": DESCRIPTION,
    "epilog": EXAMPLES,
}


def add_arguments(result: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    result.set_defaults(body=_propose)
    result.add_argument("net", metavar="NET", help="the test net of an RPN, or of Faster R-CNN")
    options.add_weights(result, required=True)
    options.add_dialect(result)
    options.add_no_python_layers(result)
    options.add_check_finite(result)
    options.add_computing(result)
    data = result.add_argument_group("data")
    options.add_dataset(data, image_set="trainval")
    options.add_configuration(data)
    options.add_skip_bad_images(data)
    output = result.add_argument_group("output")
    output.add_argument("--output", metavar="F.npz", required=True, help="where the boxes are written")
    options.add_output(output)


def _propose(args: argparse.Namespace) -> None:
    quiet = args.quiet or args.json
    if not quiet:  # before the slow imports: whoever waits sees that something happens
        print(f"caffe-compat propose: {args.net}", flush=True)
    from caffe_compat.cli import show
    from caffe_compat.cli.dataset import needed_dataset, trained_classes
    from caffe_compat.fast_rcnn.rpn_proposals import Proposer, propose_all, write_proposals
    from caffe_compat.files import check_writable

    check_writable(args.output)
    console.set_computing(args)
    dataset = needed_dataset(args, trained_classes(args.weights))
    cfg = configuration.read(args)
    net = configuration.test_net(args, cfg)
    show.weights(net.copy_from(args.weights), quiet)
    with (
        console.compiling(quiet),
        check_finite.checking(args, net),
        console.progress(len(dataset.image_ids), quiet) as bar,
    ):
        found = propose_all(Proposer(net, cfg), dataset, bar, args.skip_bad_images)
        written = write_proposals(args.output, found)
    if args.json:
        result = {"net": args.net, "output": args.output, "photos": written.photos, "boxes": written.boxes}
        print(json.dumps(result, indent=2))
    else:
        print(f"wrote {args.output}: {written}")
