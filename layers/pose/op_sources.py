"""The databases of an OPData layer, and what is drawn of each."""

from __future__ import annotations

from dataclasses import dataclass

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.pose.part_models import MODELS, PartModel
from caffe_compat.prototxt.caffe_pb2 import OPTransformationParameter

LARGEST = 2**14  # degrees and times that are drawn
MOST_COVERS = 2**10
TOLERANCE = 1e-6  # of probabilities' sum
INSTEAD = "Else put an Input layer in its place and write its blobs before each forward"


@dataclass(frozen=True)
class OpSource:
    """path: of an LMDB. probability: of a batch of it. least, most: how much larger, and degrees: how far, an image is
    made and turned. covers: how many places are covered at most. sigma: of joints' bells, in pixels."""

    path: str
    model: PartModel
    probability: float
    least: float
    most: float
    degrees: float
    covers: int
    sigma: float


def read_sources(owner: ErrorFactory, param: OPTransformationParameter, path: str) -> list[OpSource]:
    """path: the database of the first training files. Raises owner's error for params that do not fit together."""
    param = _as_now(param, path)
    paths, models = param.sources.split(";"), param.models.split(";")
    models = models * len(paths) if len(models) == 1 else models
    shares = _numbers(owner, "probabilities", param.probabilities, 0, 1)
    if not all(paths):
        raise owner.error("there is no database; write the LMDBs' paths in sources, with a ; between")
    if not len(paths) == len(models) == len(shares):
        raise owner.error(
            f"sources has {len(paths)} databases, models {len(models)}, and probabilities {len(shares)} numbers"
        )
    for model in models:
        if model not in MODELS:
            raise owner.error(f"models has '{model}'; {', '.join(MODELS)} are built. {INSTEAD}")
    if len({(MODELS[model].channels, len(MODELS[model].joints)) for model in models}) > 1:
        raise owner.error(f"models has {', '.join(models)}, which have other maps; expected those of one net")
    only = param.prob_only_background if param.source_background else 0
    if not 0 <= only < 1 or not abs(sum(shares) + only - 1) <= TOLERANCE:
        raise owner.error(
            f"probabilities sum up to {sum(shares):g}, and prob_only_background is {only:g}; expected 1 together"
        )
    drawn = {
        name: _each(_numbers(owner, name, getattr(param, name), *limits), len(paths))
        for name, limits in _LIMITS.items()
    }
    found = [
        OpSource(
            paths[i],
            MODELS[models[i]],
            shares[i],
            least=drawn["scale_mins"][i],
            most=drawn["scale_maxs"][i],
            degrees=drawn["max_degree_rotations"][i],
            covers=int(drawn["number_max_occlusions"][i]),
            sigma=drawn["sigmas"][i],
        )
        for i in range(len(paths))
    ]
    _check_what_is_drawn(owner, param, found)
    return found


_LIMITS = {
    "scale_mins": (0, LARGEST),
    "scale_maxs": (0, LARGEST),
    "max_degree_rotations": (-LARGEST, LARGEST),
    "number_max_occlusions": (0, MOST_COVERS),
    "sigmas": (1e-6, LARGEST),
}


def _check_what_is_drawn(
    owner: ErrorFactory, param: OPTransformationParameter, sources: list[OpSource]
) -> None:
    if not param.source_background and any(source.covers for source in sources):
        raise owner.error("number_max_occlusions needs source_background: pieces of it cover joints")
    if param.center_swap_prob > 0 and any(len(source.model.joints) not in (23, 25) for source in sources):
        raise owner.error("center_swap_prob is for people of 23 or 25 joints; make it 0")


def _as_now(param: OPTransformationParameter, path: str) -> OPTransformationParameter:
    """The params of the first training files as those that came later have them."""
    now = OPTransformationParameter()
    now.CopyFrom(param)
    for name, later in (
        ("scale_min", "scale_mins"),
        ("scale_max", "scale_maxs"),
        ("max_rotate_degree", "max_degree_rotations"),
    ):
        if param.HasField(name) and not param.HasField(later):
            setattr(now, later, repr(getattr(param, name)))
    if param.HasField("model") and not param.HasField("models"):
        now.models = param.model
    if not param.sources:
        now.sources = path
        rest = 1 - (param.prob_only_background if param.source_background else 0)
        shares = [rest]
        if param.source_secondary:
            now.sources += f";{param.source_secondary}"
            now.models += f";{param.model_secondary or param.model}"
            shares = [rest * (1 - param.prob_secondary), rest * param.prob_secondary]
        now.probabilities = ";".join(map(repr, shares))
    return now


def _numbers(owner: ErrorFactory, name: str, text: str, least: float, most: float) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(";")]
    except ValueError as error:
        raise owner.error(f"{name} is '{text[:60]}'; expected numbers with a ; between") from error
    if not all(least <= number <= most for number in numbers):
        raise owner.error(f"{name} is '{text[:60]}'; expected numbers from {least:g} to {most:g}")
    return numbers


def _each(numbers: list[float], count: int) -> list[float]:
    """A number for each database: the first for those that have none."""
    return (numbers + numbers[:1] * count)[:count]
