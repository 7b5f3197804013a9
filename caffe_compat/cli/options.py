"""The options that several commands have, each declared once; those of the caffe binary are in caffe/flags.py.

Every function adds to a parser, or to a group of one.
"""

from __future__ import annotations

import argparse
from typing import Any

from caffe_compat.cli.parser import positive

ENGINES = {
    "fast": "fast leaves out what is computed twice, sums in another order, and agrees to about 1e-5",
    "strict": "strict computes each layer by itself, as Caffe does",
    "torch": "torch computes by PyTorch (needs the extra 'torch')",
}
DIALECTS = (
    "bvlc",
    "caffe-ocr",
    "deepskeleton",
    "faceboxes",
    "fast-rcnn",
    "hed",
    "openvino",
    "osvos",
    "pspnet",
    "rcf",
    "segnet",
    "sstd",
    "textboxes",
    "textboxes++",
)


# ---- the net --------------------------------------------------------------------------------------------------


def add_net(result: Any) -> None:
    """Add NET."""
    result.add_argument("net", metavar="NET", help="a net, a prototxt of any generation")


def add_weights(result: Any, required: bool = False, told: str = "") -> None:
    """Add --weights. told: what stands for it, in words."""
    help = "a .caffemodel, or HDF5" + (f"; default: {told}" if told else "")
    result.add_argument("--weights", metavar="F", required=required, help=help)


USUAL_PHASE = "train where the net has a loss, else test"  # as graph.usual_phase has it


def add_phase(result: Any, told: str = USUAL_PHASE) -> None:
    """Add --phase, which `phases.read_in_phase` reads. told: what stands for it, in words."""
    result.add_argument("--phase", choices=["train", "test"], help=f"default: {told}")


def add_state(result: Any) -> None:
    """Add --level and --stage."""
    result.add_argument("--level", type=int, default=0, help="level of the net's state, for include rules")
    result.add_argument(
        "--stage", action="append", default=[], help="a stage of the net's state; may be repeated"
    )


def add_dialect(result: Any) -> None:
    """Add --dialect."""
    result.add_argument(
        "--dialect",
        choices=DIALECTS,
        metavar="NAME",
        help=f"which Caffe the net was written for ({', '.join(DIALECTS)}), as forks read BN, Crop and others in ways "
        "of their own; default: found from the net, else bvlc",
    )


def add_meaning(result: Any) -> None:
    """Add --dialect and --propagate-down."""
    add_dialect(result)
    result.add_argument(
        "--propagate-down",
        choices=["replaces", "restricts"],
        help="what a propagate_down flag means: it replaces what the net derives (Caffe since April 2016), or it can "
        "only switch a gradient off (before, and in the Fast R-CNN forks); default: as the dialect has it, else "
        "replaces",
    )


def add_net_state(result: Any) -> None:
    """Add what a net is built with where it is not run: --phase, --level, --stage, --dialect, --propagate-down and
    --python-layers."""
    add_phase(result)
    add_state(result)
    add_meaning(result)
    add_python_layers(result)


def add_no_python_layers(result: Any) -> None:
    """Add --no-python-layers, of commands that run nets; `console.may_import` reads it."""
    result.add_argument(
        "--no-python-layers",
        dest="python_layers",
        action="store_false",
        help="refuse Python layers that are not built in, and import no module that a file names",
    )


def add_python_layers(result: Any) -> None:
    """Add --python-layers, of commands that run no net; `console.may_import` reads it."""
    result.add_argument(
        "--python-layers",
        action="store_true",
        help="import the modules of Python layers that are not built in, which runs them; else shapes behind them are "
        "not known (explain, draw), or they are refused",
    )


# ---- how it is computed ---------------------------------------------------------------------------------------


def add_seed(result: Any, default: int | None = None, told: str = "") -> None:
    """Add --seed. told: what stands for it, in words."""
    help = "of all random numbers" + (f"; default: {told}" if told else "")
    result.add_argument("--seed", type=_seed, default=default, metavar="N", help=help)


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError("must lie between 0 and 4294967295")
    return value


def add_computing(result: Any) -> None:
    """Add --threads, --engine, --device, --precision and --compile; `console.set_computing` does what they say."""
    result.add_argument("--threads", type=positive, metavar="N", help="default: all cores")
    add_engine(result, list(ENGINES), "fast")
    result.add_argument(
        "--compile",
        action="store_true",
        help="of the engine torch: let torch.compile make kernels for the net, which takes a minute or more",
    )


def add_engine(result: Any, engines: list[str], default: str) -> None:
    """Add --engine, one of these, and --device and --precision."""
    told = "; ".join(ENGINES[engine] for engine in engines)
    result.add_argument("--engine", choices=engines, default=default, help=f"{told}; default: {default}")
    result.add_argument(
        "--device", default="cpu", metavar="D", help="of the engine torch: cpu (the default), cuda or cuda:N"
    )
    result.add_argument(
        "--precision",
        choices=["float32", "tf32", "bf16"],
        default="float32",
        help="of the engine torch, for the products of convolutions and fully connected layers; default: float32",
    )


def add_check_finite(result: Any) -> None:
    """Add --check-finite."""
    result.add_argument(
        "--check-finite",
        action="store_true",
        help="stop at the first value that is not finite, say where it was born, and write replay_LAYER.npz "
        "(exit code 9)",
    )


def add_run(result: Any) -> None:
    """Add how a net is run or trained: --check-finite, --seed, --threads, --engine, --dialect, --propagate-down and
    --no-python-layers."""
    add_check_finite(result)
    add_seed(result)
    add_computing(result)
    add_meaning(result)
    add_no_python_layers(result)


# ---- data -----------------------------------------------------------------------------------------------------


def add_inputs(result: Any, told: str) -> None:
    """Add --inputs. told: what stands for it, in words."""
    help = f"arrays by blob name, for input blobs or a RoI data layer; default: {told}"
    result.add_argument("--inputs", metavar="F.npz", help=help)


def add_dataset(result: Any, image_set: str) -> None:
    """Add --devkit, --data, --classes and what belongs to them; `dataset.open_dataset` reads them.

    image_set: of a devkit, where no other one is asked for.
    """
    result.set_defaults(default_image_set=image_set)
    result.add_argument(
        "--devkit",
        metavar="DIR",
        help="photos and annotations in VOC's form: a devkit (holds VOC2007/JPEGImages ...), or the folder with "
        "Annotations and JPEGImages",
    )
    result.add_argument(
        "--year", metavar="Y", help="of the devkit, its folder VOCY; default: 2007, or the only one"
    )
    result.add_argument(
        "--image-set",
        metavar="SET",
        help=f"of the devkit; default: {image_set}, or all photos where there are no image sets",
    )
    result.add_argument(
        "--zero-based",
        action="store_true",
        help="the devkit's annotations count pixels from 0, as those of many tools; VOC's own count from 1",
    )
    result.add_argument(
        "--data",
        metavar="KIND:...",
        help="other data: coco:ANNOTATIONS.json:FOLDER (of the photos), or MODULE:CLASS:ARGUMENT, a reader of your own "
        "(docs/your_own_data.md)",
    )
    add_classes(result, "VOC's, or those of COCO's file")
    result.add_argument(
        "--skip-other-classes",
        action="store_true",
        help="leave out the objects of classes that --classes does not name",
    )


def add_classes(result: Any, told: str) -> None:
    """Add --classes. told: what stands for it, in words."""
    result.add_argument(
        "--classes",
        metavar="A,B,...|FILE",
        help=f"names of the classes without the background, or a file with one a line; default: {told}",
    )


def add_data(result: Any) -> None:
    """Add where the data of a run comes from."""
    add_inputs(result, told="a drawn sample")
    add_dataset(result, image_set="trainval")


def add_proposals(result: Any) -> None:
    """Add --proposals."""
    result.add_argument(
        "--proposals",
        metavar="F",
        help="boxes of all images, .mat or .npz; default: searched, or the net's own",
    )


def add_photo(result: Any) -> None:
    """Add --photo, of nets with one image for their input, with --mean, --scale and --swap."""
    help = "a photo, a folder or a glob pattern; may be repeated"
    result.add_argument("--photo", action="append", default=[], metavar="F", help=help)
    add_preprocessing(result, told="none; of SSD and YOLO nets as their kind has it")


def add_preprocessing(result: Any, told: str = "none") -> None:
    """Add --mean, --scale and --swap, of photos.py. told: what stands for the first, in words."""
    result.add_argument(
        "--mean",
        metavar="M",
        help="what to subtract from the pixels, which go from 0 to 255: one number, one a channel in the net's order "
        f"(104,117,123), a .npy or a .binaryproto; default: {told}",
    )
    result.add_argument(
        "--scale", type=float, metavar="X", help="what to multiply by then, as the scale of transform_param"
    )
    result.add_argument(
        "--swap",
        type=_swap,
        metavar="2,1,0",
        help="which of red, green, blue the net's channels are; default: 2,1,0, blue first, as Caffe's nets have them",
    )


def _swap(text: str) -> tuple[int, ...]:
    try:
        order = tuple(int(word) for word in text.split(","))
    except ValueError:
        order = ()
    if sorted(order) != [0, 1, 2]:
        raise argparse.ArgumentTypeError("must be 0, 1 and 2 in some order, such as 2,1,0")
    return order


def add_configuration(result: Any) -> None:
    """Add --cfg and --set; `configuration.read` reads them."""
    result.add_argument(
        "--cfg", action="append", default=[], metavar="F.yml", help="a configuration of Fast R-CNN"
    )
    result.add_argument(
        "--set",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="one key of the configuration",
    )


# ---- training and detection -----------------------------------------------------------------------------------


def add_training(result: Any) -> None:
    """Add what only training takes."""
    result.add_argument(
        "--metrics", metavar="F", help="write loss, lr and time of each iteration: F.csv or F.jsonl"
    )
    result.add_argument("--plot", metavar="F.png", help="draw the loss at the end (needs the extra 'plot')")
    add_proposals(result)
    add_skip_bad_images(result)


def add_skip_bad_images(result: Any) -> None:
    """Add --skip-bad-images."""
    result.add_argument(
        "--skip-bad-images",
        action="store_true",
        help="leave out photos and annotations that cannot be used; caffe-compat check-data lists them",
    )


def add_detector(result: Any, threshold: float, single_shot: float) -> None:
    """Add how objects are found, with these least scores for defaults, of Fast R-CNN and of SSD and YOLO nets."""
    add_dialect(result)
    add_no_python_layers(result)
    result.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help=f"least score, default: {threshold:g}; of SSD and YOLO nets {single_shot:g}",
    )
    result.set_defaults(thresholds=(threshold, single_shot))
    result.add_argument(
        "--max-per-image",
        type=int,
        metavar="N",
        help="most detections, 0: all; default: 100, of SSD and YOLO nets all that their last layer keeps",
    )
    add_check_finite(result)
    add_computing(result)
    photo = result.add_argument_group("of SSD and YOLO nets")
    add_preprocessing(photo, told="with --scale as the net's kind has it, which is said")
    photo.add_argument(
        "--letterbox",
        action="store_true",
        help="keep the photo's aspect, between grey borders, as darknet does; default: stretched to the input",
    )
    result = result.add_argument_group("of Fast R-CNN nets")
    add_proposals(result)
    result.add_argument(
        "--stages",
        type=int,
        metavar="N",
        help="how often boxes are moved and scored; with 2, the boxes found go through the net again, and all vote",
    )
    result.add_argument(
        "--nms-rule",
        choices=["gpu", "cpu"],
        help="a box goes where its overlap with a better one is above TEST.NMS (gpu, the reference's default), or "
        "also where it is equal (cpu); default: as USE_GPU_NMS of the configuration says",
    )
    add_configuration(result)


# ---- output ---------------------------------------------------------------------------------------------------


def add_html(result: Any) -> None:
    """Add --html."""
    result.add_argument(
        "--html", metavar="F.html", help="write one page with all numbers there, to open in a browser"
    )


def add_output(result: Any) -> None:
    """Add --json and --quiet."""
    add_json(result)
    result.add_argument("--quiet", action="store_true", help="only results and errors")


def add_json(result: Any) -> None:
    """Add --json."""
    result.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_traceback(result: Any) -> None:
    """Add --traceback, which all commands have."""
    result.add_argument("--traceback", action="store_true", help="show where in the program an error arose")
