"""Reads what Caffe logs of a net with `debug_info: true`: the mean absolute value of every blob and param.

Source: Caffe's Net::ForwardDebugInfo and BackwardDebugInfo; caffe_compat/solvers/debug_info.py writes the same.
"""

from __future__ import annotations

import re

from caffe_compat.compare.reference import Reference, Value
from caffe_compat.errors import DataError
from caffe_compat.glog import DEBUG_INFO, NET, PREFIX, log_lines


def read_log(path: str) -> Reference:
    """Read the first forward and backward pass of a log. Raises DataError where there is none."""
    lines = list(log_lines(path))
    result = Reference(path, kind="log", prototxt=_prototxt(lines))
    phase = re.search(r"^ *phase: (TRAIN|TEST)$", result.prototxt, re.MULTILINE)
    result.phase = phase[1] if phase else ""
    writers: list[tuple[str, str]] = []
    seen: set[str] = set()
    params: dict[str, int] = {}
    backward = False
    for line in lines:
        match = DEBUG_INFO.search(line)
        if match is None or not _starts_debug(line, match):
            continue
        if match["way"] == "Forward" and (backward or match[0].rpartition(":")[0] in seen):
            break  # the second pass begins
        seen.add(match[0].rpartition(":")[0])
        backward = match["way"] == "Backward"
        try:
            _take(result, match, writers, params)
        except ValueError as error:  # half a line, or two in one
            raise DataError(f"its line '{line.strip()}' ends with no number", file=path) from error
    if not result.values:
        raise DataError(
            "this log has no lines '[Forward] Layer ..., top blob ... data: ...'; "
            "put debug_info: true into the solver's or the net's prototxt and log again",
            file=path,
        )
    return result


def _starts_debug(line: str, match: re.Match[str]) -> bool:
    return not PREFIX.sub("", line[: match.start()]).strip()


def _take(
    result: Reference, match: re.Match[str], writers: list[tuple[str, str]], params: dict[str, int]
) -> None:
    layer, name, value = match["layer"], match["name"], Value(mean=float(match["mean"]))
    forward = match["way"] == "Forward"
    if match["what"] == "top":
        writers.append((layer, name))
        result.values[f"data@{layer}:{name}"] = value
    elif match["what"] == "bottom":
        at = _position(writers, layer)
        writer = next((w for w, blob in reversed(writers[:at]) if blob == name), layer)
        result.values[f"diff@{writer}:{name}"] = value
    elif forward:  # params go by their names here, so they are counted
        params[layer] = params.get(layer, -1) + 1
        result.values[f"param:{layer}:{params[layer]}"] = value
    else:
        result.values[f"pdiff:{layer}:{name}"] = value


def _position(writers: list[tuple[str, str]], layer: str) -> int:
    """Where the layer's tops begin; the end for a layer without."""
    return next((i for i, (writer, _) in enumerate(writers) if writer == layer), len(writers))


def _prototxt(lines: list[str]) -> str:
    """The first net that the log prints, or nothing."""
    start = next((i + 1 for i, line in enumerate(lines) if line.rstrip().endswith(NET)), None)
    if start is None:
        return ""
    text = []
    for line in lines[start:]:
        if PREFIX.match(line):
            break
        text.append(line)
    return "\n".join(text)
