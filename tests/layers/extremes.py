"""The cases with extreme params, shapes and values: what each of them ends in, in a net of one layer.

scripts/sweep_extremes.py goes through all of them, test_extremes.py through some.
"""

from __future__ import annotations

import gc
import itertools
import math
import multiprocessing
import os
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message
from recordings import net_of as recordings_net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.registry import layer_class
from layers.data_cases import give_data
from layers.harness import Case, labels, normal, parse, random_numbers, rois, unit

MILLION = 1_000_000  # which most numbers of groups, pairs and blocks divide
MANY = 65_537  # of a param: unrelated to small data, and a blob of so many numbers is soon made
ROOM = (
    4_000_000  # numbers that the bottoms of a case may hold; beyond it, dims other than the extreme one are 1
)
FLOATS = (0.0, 1.0, -1.0, 1e30, -1e30, 3.4028234663852886e38, 1e-45, math.nan, math.inf, -math.inf)
VALUES = (0.0, 1.0, -1.0, 1e9, 1e30, -1e30, math.nan, math.inf, -math.inf)
TEXTS = ("", "0", "-1", "x" * 1000)
YAML = (
    "0",
    "1",
    "-1",
    "65537",
    "1e30",
    "99999999999999999999",
    ".nan",
    ".inf",
    "-.inf",
    "x",
    "[]",
    "{}",
    "",
)
IMAGES = (
    "batch_size",
    "images_per_batch",
)  # of files, one after the other: as many are read as are asked for
FIELDS_OF_ALL = ("loss_weight",)  # of LayerParameter itself


@dataclass(frozen=True)
class Extreme:
    """A case that was changed. what: how. fill: what all numbers of bottom `filled` are, if not the case's."""

    case: Case
    what: str
    shapes: tuple[tuple[int, ...], ...]
    filled: int = -1
    fill: float = 0.0

    @property
    def id(self) -> str:
        return f"{self.case.type}: {self.what} in: {' '.join(self.case.layer.split())} {list(self.shapes)}"


@dataclass
class Outcome:
    """How it ended: "ok", "error" (the project's own, `told`), "raw" or "differs"; the seconds of the slowest of
    set-up, forward and backward; how many numbers the net's blobs and params have."""

    kind: str = "ok"
    told: str = ""
    seconds: float = 0
    numbers: int = 0
    tops: list[np.ndarray] = field(default_factory=list)


# ---- the Python layers that are built in; their own tests have their cases
def _python(module: str, layer: str, param_str: str) -> str:
    return f'type: "Python" python_param {{ module: "{module}" layer: "{layer}" param_str: "{param_str}" }}'


def _im_info(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.array([70, 50, 1.5])


def _boxes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return np.roll(rois(3, 70, 50)(rng, shape), -1, axis=1)


PYTHON = [
    Case(
        _python(
            "rpn.proposal_layer", "ProposalLayer", "{feat_stride: 16, scales: [8, 16], ratios: [0.5, 1, 2]}"
        ),
        [(1, 12, 4, 3), (1, 24, 4, 3), (1, 3)],
        fills=[unit, normal, _im_info],
        tops=2,
    ),
    Case(
        _python(
            "rpn.anchor_target_layer",
            "AnchorTargetLayer",
            "{feat_stride: 16, scales: [2, 4], allowed_border: 0}",
        ),
        [(1, 12, 4, 3), (2, 5), (1, 3), (1, 3, 70, 50)],
        fills=[normal, _boxes, _im_info, normal],
        tops=4,
    ),
    Case(
        _python("rpn.proposal_target_layer", "ProposalTargetLayer", "{num_classes: 4}"),
        [(9, 5), (2, 5)],
        fills=[rois(1, 70, 50), _boxes],
        tops=5,
    ),
    Case(
        _python("rpn.proposal_target_layer_mrcnn", "ProposalMergeRcnnTargetLayer", "{num_classes: 4}"),
        [(9, 5), (2, 5), (1, 3, 4, 2)],
        fills=[rois(1, 70, 50), _boxes, normal],
        tops=8,
    ),
    Case(_python("rpn.as_rois", "As_roisLayer", ""), [(9, 5)], fills=[rois(1, 70, 50)], tops=5),
    Case(
        _python("rpn.as_rois_mrcnn", "As_rois_MergeRcnnLayer", ""), [(9, 5)], fills=[rois(1, 70, 50)], tops=5
    ),
    Case(
        _python("roi_data_layer.layer", "OHEMDataLayer", "{num_classes: 4}"),
        [(9, 4), (9, 16), (9, 5), (9,), (9, 16), (9, 16), (9, 16)],
        fills=[unit, normal, rois(3, 40, 40), labels(4), normal, unit, unit],
        tops=5,
    ),
    Case(
        _python("layers.text_proposal_layer", "ProposalLayer", "{feat_stride: 16}"),
        [(1, 20, 4, 3), (1, 20, 4, 3), (1, 3)],
        fills=[unit, normal, _im_info],
        tops=2,
    ),
    Case(
        _python("spatial_dropout", "SpatialDropoutLayer", "{'phase': 'TRAIN', 'p': '0.25'}"),
        [(2, 3, 7, 5)],
    ),
    Case(
        _python("caffe.layers.detectnet.clustering", "ClusterGroundtruth", "40,32,8,2"),
        [(2, 2, 4, 5), (2, 4, 4, 5)],
        tops=2,
    ),
    Case(
        _python("caffe.layers.detectnet.clustering", "ClusterDetections", "40,32,8,0.1,1,0.3,2,2"),
        [(2, 2, 4, 5), (2, 4, 4, 5)],
        tops=2,
    ),
    Case(_python("caffe.layers.detectnet.mean_ap", "ScoreDetections", ""), [(2, 3, 5), (2, 4, 5)]),
    Case(_python("caffe.layers.detectnet.mean_ap", "mAP", ""), [(2, 50, 5)], tops=3),
    Case(_python("pyloss", "EuclideanLossLayer", ""), [(3, 4), (3, 4)]),
]


# ---- params
def numbers_of(descriptor) -> Sequence:
    """What a field of this kind is set to."""
    if descriptor.enum_type:
        return [value.number for value in descriptor.enum_type.values]
    kinds = {
        descriptor.TYPE_BOOL: (False, True),
        descriptor.TYPE_STRING: TEXTS,
        descriptor.TYPE_BYTES: (b"", b"0"),
        descriptor.TYPE_FLOAT: FLOATS,
        descriptor.TYPE_DOUBLE: (*FLOATS, 1.7e308),
        descriptor.TYPE_INT32: (0, 1, -1, 2, MANY, 2**31 - 1, -(2**31)),
        descriptor.TYPE_UINT32: (0, 1, 2, MANY, 2**31 - 1, 2**32 - 1),
        descriptor.TYPE_INT64: (0, 1, -1, MANY, 2**63 - 1, -(2**63)),
        descriptor.TYPE_UINT64: (0, 1, MANY, 2**64 - 1),
    }
    return kinds[descriptor.type]


Path_ = tuple[str, ...]


def paths(descriptor, within: Path_ = (), seen: frozenset = frozenset()) -> Iterator[tuple[Path_, object]]:
    """The fields of a message and of those in it, by their names from outside in."""
    for one in descriptor.fields:
        here = (*within, one.name)
        if one.message_type:
            if one.message_type.full_name not in seen:
                yield from paths(one.message_type, here, seen | {one.message_type.full_name})
        else:
            yield here, one


def read_paths(type: str) -> list[tuple[Path_, object]]:
    """The fields that a layer type reads."""
    fields = parse("").DESCRIPTOR.fields_by_name
    found = [((name,), fields[name]) for name in FIELDS_OF_ALL]
    for message in layer_class(type).reads or ():
        if message != "python_param":
            found += paths(fields[message].message_type, (message,))
    return found


def holder(param: Message, path: Path_) -> Message:
    """The message that holds the last field of a path: made where it is not there; of several, the first."""
    for name in path[:-1]:
        value = getattr(param, name)
        if param.DESCRIPTOR.fields_by_name[name].is_repeated:
            value = value[0] if len(value) else value.add()
        param = value
    return param


def is_set(case: Case, path: Path_) -> bool:
    param: Message = parse(case.layer)
    for i, name in enumerate(path):
        value = {d.name: v for d, v in param.ListFields()}.get(name)
        if value is None:
            return False
        if i < len(path) - 1:
            param = value[0] if param.DESCRIPTOR.fields_by_name[name].is_repeated else value
    return True


def with_values(case: Case, changes: Sequence[tuple[Path_, object]]) -> Extreme | None:
    """The case with these fields set; None where the text form cannot say so."""
    param = parse(case.layer)
    told = []
    for path, value in changes:
        message = holder(param, path)
        told.append(f"{'.'.join(path)} {str(value)[:24]}")
        if message.DESCRIPTOR.fields_by_name[path[-1]].is_repeated:
            values = getattr(message, path[-1])
            if isinstance(value, list):
                values[:] = value
                told[-1] = f"{'.'.join(path)} {len(value)} times"
            elif len(values):
                values[0] = value
            else:
                values.append(value)
        else:
            message.SetInParent()
            setattr(message, path[-1], value)
    layer = text_format.MessageToString(param, as_one_line=True)
    return Extreme(replace(case, layer=layer, id=""), ", ".join(told), tuple(map(tuple, case.shapes)))


def params_of(cases: Sequence[Case], most: int) -> Iterator[Extreme]:
    """Each field at each extreme, in at most so many cases that set it, or in the first case."""
    for path, descriptor in read_paths(cases[0].type):
        setting = [case for case in cases if is_set(case, path)][:most] or cases[:1]
        values = [value for value in numbers_of(descriptor) if value != MANY or path[-1] not in IMAGES]
        if descriptor.is_repeated:
            values += [[], [values[1]] * 1000]
        for case in setting:
            for value in values:
                yield with_values(case, [(path, value)])


def pairs_of(cases: Sequence[Case], count: int, rng: np.random.RandomState) -> Iterator[Extreme]:
    """Two or three fields at extremes at once, drawn at random."""
    fields = read_paths(cases[0].type)
    for _ in range(count):
        case = cases[rng.randint(len(cases))]
        changes = []
        for _ in range(rng.randint(2, 4)):
            path, descriptor = fields[rng.randint(len(fields))]
            values = numbers_of(descriptor)
            changes.append((path, values[rng.randint(len(values))]))
        yield with_values(case, changes)


def param_strs_of(case: Case) -> Iterator[Extreme]:
    """Each number of the param_str of a Python layer at each extreme."""
    import re

    text = parse(case.layer).python_param.param_str
    for found in re.finditer(r"(?<![\w.])[\d.]+(?!\w)", text):
        for value in YAML:
            param = parse(case.layer)
            param.python_param.param_str = text[: found.start()] + value + text[found.end() :]
            layer = text_format.MessageToString(param, as_one_line=True)
            what = f"param_str {param.python_param.param_str}"
            yield Extreme(replace(case, layer=layer, id=""), what, tuple(map(tuple, case.shapes)))


# ---- shapes and values
def shapes_of(case: Case) -> Iterator[Extreme]:
    """Each dim at 0, 1 and a prime; at 0 beside one that is huge; and other numbers of axes."""
    shapes = [tuple(shape) for shape in case.shapes]
    changed = [*_dims_of(case, shapes, (0, 1, 13)), *_odd_shapes_of(case, shapes)]
    yield from {extreme.shapes: extreme for extreme in changed}.values()


def millions_of(case: Case) -> Iterator[Extreme]:
    """Each dim at a million."""
    changed = _dims_of(case, [tuple(shape) for shape in case.shapes], (MILLION,))
    yield from {extreme.shapes: extreme for extreme in changed}.values()


def _dims_of(case: Case, shapes: Sequence[tuple[int, ...]], values: Sequence[int]) -> Iterator[Extreme]:
    """Each dim at each of the values, wherever it stands in the bottoms, and there alone."""
    for value in values:
        for i, shape in enumerate(shapes):
            for axis in range(len(shape)):
                changed = [list(s) for s in shapes]
                changed[i][axis] = value
                yield _shaped(case, changed, f"bottom {i} axis {axis} = {value}", value)
        for dim in sorted({dim for shape in shapes for dim in shape}):
            changed = [[value if d == dim else d for d in shape] for shape in shapes]
            yield _shaped(case, changed, f"dim {dim} = {value}", value)


def _odd_shapes_of(case: Case, shapes: Sequence[tuple[int, ...]]) -> Iterator[Extreme]:
    for huge in (2**31 - 1, 2**63 - 1):
        most = max((len(shape) for shape in shapes), default=0)
        for axis, other in itertools.permutations(range(most), 2):
            changed = [
                [0 if a == axis else huge if a == other else 1 for a in range(len(shape))] for shape in shapes
            ]
            yield _shaped(
                case,
                changed[:1] + [list(s) for s in shapes[1:]],
                f"bottom 0 axis {axis} = 0, {other} = {huge}",
                0,
            )
            yield _shaped(case, changed, f"axis {axis} = 0, axis {other} = {huge}", 0)
    for rank in range(6):
        yield _shaped(case, [[1] * rank, *map(list, shapes[1:])], f"bottom 0 has {rank} axes", 1)


def _shaped(case: Case, shapes: list[list[int]], what: str, value: int) -> Extreme:
    if sum(math.prod(shape) for shape in shapes) > ROOM:
        shapes = [[d if d == value else 1 for d in shape] for shape in shapes]
    return Extreme(case, what, tuple(map(tuple, shapes)))


def values_of(case: Case) -> Iterator[Extreme]:
    """Each bottom full of one extreme number."""
    for i in range(len(case.shapes)):
        for value in VALUES:
            yield Extreme(case, f"bottom {i} full of {value}", tuple(map(tuple, case.shapes)), i, value)


# ---- what it ends in
def bottoms_of(extreme: Extreme) -> list[np.ndarray]:
    """What the case fills its bottoms with, of these shapes; normal numbers where it cannot do so."""
    rng = random_numbers(1)
    case = extreme.case
    fills = list(case.fills) + [normal] * (len(extreme.shapes) - len(case.fills))
    bottoms = []
    for i, (fill, shape) in enumerate(zip(fills, extreme.shapes, strict=True)):
        if i == extreme.filled:
            bottoms.append(np.full(shape, extreme.fill))
            continue
        try:
            bottoms.append(np.asarray(fill(rng, shape)).reshape(shape))
        except Exception:
            bottoms.append(rng.standard_normal(shape) if math.prod(shape) else np.zeros(1))
    return bottoms


def net_of(extreme: Extreme) -> str:
    """A net of Input layers and the layer, whose gradients are asked for wherever there can be one."""
    case, param = extreme.case, parse(extreme.case.layer)
    param.name = param.name or "layer"
    param.bottom.extend(f"b{i}" for i in range(len(extreme.shapes)))
    param.top.extend(f"t{i}" for i in range(case.tops - len(param.top)))
    no_gradient = layer_class(case.type).no_gradient
    param.propagate_down.extend(i not in no_gradient for i in range(len(extreme.shapes)))
    inputs = [
        f'layer {{ name: "b{i}" type: "Input" top: "b{i}" input_param {{ shape {{ {" ".join(dims)} }} }} }}'
        for i, dims in enumerate([f"dim: {dim}" for dim in shape] for shape in extreme.shapes)
    ]
    layer = text_format.MessageToString(param, as_one_line=True)
    return "\n".join(["force_backward: true", *inputs, f"layer {{ {layer} }}"])


class Pass:
    """Around what is tried: `outcome` says how it ended, and how long the slowest part took from `begin` to `clock`."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._quiet = ExitStack()
        self.begin()

    def begin(self) -> None:
        self._begin = _now()

    def clock(self) -> None:
        self.outcome.seconds = max(self.outcome.seconds, min(_now() - self._begin))

    def __enter__(self) -> Pass:
        self._quiet.enter_context(warnings.catch_warnings())
        self._quiet.enter_context(np.errstate(all="ignore"))
        warnings.simplefilter("ignore")
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._quiet.close()
        self.clock()
        outcome = self.outcome
        if isinstance(error, CaffeCompatError):
            outcome.kind, outcome.told = "error", str(error)
        elif isinstance(error, MemoryError):  # of what is done here
            outcome.kind, outcome.told = "error", f"out of memory {error}"
        elif error is not None:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            outcome.kind, outcome.told = "raw", f"{type(error).__name__}: {str(error)[:200]} at {place}"
        return True


def run_extreme(extreme: Extreme, engine: str) -> Outcome:
    """Build the net, fill its inputs, run it forward and backward."""
    with Pass() as running:
        text = net_of(extreme)
        caffe.set_random_seed(3)
        np.random.seed(3)
        running.begin()
        net = recordings_net_of(text, extreme.case.phase, engine=EngineChoice(engine))
        running.clock()
        running.outcome.numbers = sum(blob.count for blob in net.blob_list)
        running.outcome.numbers += sum(net.param_blob(param).count for param in net.learnable)
        for i, values in enumerate(bottoms_of(extreme)):
            net.blobs[f"b{i}"].data[...] = values
        layer = len(extreme.shapes)  # behind the inputs
        give_data(SimpleNamespace(layer=net.layers[layer], top=net.tops[layer]))
        running.begin()
        net.forward()
        running.clock()
        tops = [net.blobs[name] for name in net.outputs]
        if sum(top.count for top in tops) < ROOM:
            running.outcome.tops = [top.data.copy() for top in tops]
        for top in tops:
            top.diff[...] = 1
        running.begin()
        net.backward()
    return running.outcome


def _same(a: Outcome, b: Outcome) -> bool:
    with np.errstate(all="ignore"):
        return all(
            np.allclose(x, y, rtol=1e-3, atol=1e-3, equal_nan=True)
            for x, y in zip(a.tops, b.tops, strict=True)
        )


def attempt(
    extreme: Any,
    run: Callable[[Any, str], Outcome] = run_extreme,
    same: Callable[[Outcome, Outcome], bool] = _same,
) -> Outcome:
    """Run it by each engine; both have to end alike, with the same numbers. run, same: for what is no Extreme."""
    strict = run(extreme, "strict")
    if strict.kind not in ("ok", "error"):
        return strict
    fast = run(extreme, "fast")
    fast.seconds = max(fast.seconds, strict.seconds)
    if (
        fast.kind in ("ok", "error")
        and fast.kind != strict.kind
        and "out of memory" not in fast.told + strict.told
    ):
        fast.told, fast.kind = (
            f"fast: {fast.kind} {fast.told}, strict: {strict.kind} {strict.told}",
            "differs",
        )
    elif fast.kind == strict.kind == "ok" and not same(strict, fast):
        fast.told, fast.kind = "fast and strict make other numbers", "differs"
    return fast


def _now() -> np.ndarray:
    """The time, and that of this process: on a busy machine it is less that passes of the latter."""
    return np.array([time.perf_counter(), time.process_time()])


# ---- all of a type, in children that can be ended
KINDS = ("params", "pairs", "shapes", "millions", "values")


def extremes_of(
    cases: Sequence[Case], kinds: Sequence[str], most: int, pairs: int, seed: int
) -> Iterator[Extreme]:
    """Those of one layer type. most: cases for each field; pairs: how many times several fields are changed."""
    cases = sorted(cases, key=Case.size)
    python = [case for case in cases if "python_param" in case.layer]
    plain = [case for case in cases if case not in python]
    if "params" in kinds:
        yield from params_of(plain, most) if plain else ()
        for case in python:
            yield from param_strs_of(case)
    if "pairs" in kinds and plain:
        yield from pairs_of(plain, pairs, np.random.RandomState(seed))
    for case in (plain[:most] or python) if cases[0].shapes else ():
        if "shapes" in kinds:
            yield from shapes_of(case)
        if "millions" in kinds:
            yield from millions_of(case)
        if "values" in kinds:
            yield from values_of(case)


def outcomes(
    extremes: Sequence[Any], seconds: float, room: int, attempt: Callable[[Any], Outcome] = attempt
) -> Iterator[tuple[Any, Outcome]]:
    """How each ends in a child that may take so many bytes more than this process. One that takes more than `seconds`
    of the processor's time is ended, and its outcome is "hang"; of one that dies it is "crash"."""
    first = 0
    while first < len(extremes):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        child = os.fork()
        if child == 0:
            _run_all(extremes[first:], sender, room, attempt)
        sender.close()
        kind = "crash"
        try:
            while first < len(extremes):
                if not _answers(receiver, child, seconds):
                    kind = "hang"
                    break
                yield extremes[first], receiver.recv()
                first += 1
        except EOFError:
            pass
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if first < len(extremes):
            yield extremes[first], Outcome(kind, f"status {status}" if kind == "crash" else "", seconds)
            first += 1


def _answers(receiver: Connection, child: int, seconds: float) -> bool:
    """Whether the child sends something, or ends, within so many seconds of the processor's time, or of 20 times that
    while it waits."""
    begin, busy = time.monotonic(), _busy(child)
    while not receiver.poll(0.2):
        if _busy(child) - busy > seconds or time.monotonic() - begin > 20 * seconds:
            return False
    return True


def _busy(child: int) -> float:
    """The seconds of the processor's time that a process has taken."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _run_all(
    extremes: Sequence[Any], sender: Connection, room: int, attempt: Callable[[Any], Outcome]
) -> NoReturn:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where libraries complain
    try:
        for extreme in extremes:
            outcome = attempt(extreme)
            if outcome.seconds > 1:
                outcome = attempt(extreme)  # without what was compiled
            outcome.tops = []
            sender.send(outcome)
            if outcome.numbers > MILLION:
                gc.collect()  # nets are circles, whose memory is the next one's room
    finally:
        os._exit(0)
