"""The folder of an alternating training: what is there is done, so that the same training can go on after any end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.alternating.recipe import Stage
from caffe_compat.files import parse_json, write_text

_RUN = "run.json"
_HALF_WRITTEN = re.compile(r"\.(run|anchor_statistics|final|stage\d+_\w+)\..+\.\w{8}")  # see files.replacing


class RunFolder:
    """Snapshots and results. `run` is all that they depend on, as JSON; it is kept in run.json.

    Raises DataError where the folder cannot be made, or has the results of another run.
    """

    def __init__(self, path: str | os.PathLike[str], run: Mapping[str, Any]):
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot make the folder: {error.strerror}", file=str(path)) from error
        for one in self.path.iterdir():
            if _HALF_WRITTEN.fullmatch(one.name):
                one.unlink()
        if any(
            one.suffix in (".npz", ".caffemodel", ".json") for one in self.path.iterdir() if one.name != _RUN
        ):
            self._check_same(run)
        self.write_json(_RUN, run)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_json(self, name: str, value: Any) -> None:
        write_text(self / name, json.dumps(value, indent=2))

    def read_json(self, name: str) -> Any:
        """What `write_json` has written. Raises DataError where it is something else."""
        try:
            return parse_json((self / name).read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error}); remove it", file=str(self / name)) from error

    def _check_same(self, run: Mapping[str, Any]) -> None:
        before = self.read_json(_RUN)
        differ = [key for key in {**before, **run} if before.get(key) != run.get(key)]
        if differ:
            raise DataError(
                f"has the results of another run, with another {', '.join(differ)}; give another folder, or remove "
                "this one",
                file=str(self.path),
            )

    # ---- snapshots of a stage ---------------------------------------------------------------------------------

    def prefix(self, stage: Stage) -> str:
        """The snapshot_prefix of a stage."""
        return str(self / stage.name)

    def newest_state(self, stage: Stage) -> str | None:
        """The .solverstate from which an interrupted stage goes on; None: it begins anew."""
        last = self._last(stage)
        return None if last is None else f"{self.prefix(stage)}_iter_{last}.solverstate"

    def keep_newest(self, stage: Stage) -> None:
        """Remove the snapshots before the last one."""
        last = self._last(stage)
        for iteration, path in self._snapshots(stage):
            if last is not None and iteration < last:
                path.unlink()

    def finish(self, stage: Stage) -> None:
        """Let the last snapshot be the result of a stage, and remove what only going on needs.

        The weights are renamed last: where they are, all else is.
        """
        last = f"{stage.name}_iter_{self._last(stage)}."
        found = sorted(
            (path for _, path in self._snapshots(stage)), key=lambda path: path.suffix == ".caffemodel"
        )
        for path in found:
            if path.name.startswith(last) and not path.name.endswith((".solverstate", ".extra.npz")):
                os.replace(path, self / f"{stage.name}.{path.name.removeprefix(last)}")
        self.clear(stage)

    def clear(self, stage: Stage) -> None:
        """Remove all snapshots of a stage."""
        for _, path in self._snapshots(stage):
            path.unlink()

    def _last(self, stage: Stage) -> int | None:
        """The iteration of the last whole snapshot, whose state is written last."""
        states = [iteration for iteration, path in self._snapshots(stage) if path.suffix == ".solverstate"]
        return max(states, default=None)

    def _snapshots(self, stage: Stage) -> list[tuple[int, Path]]:
        name = re.compile(rf"{re.escape(stage.name)}_iter_(\d+)\..+")
        found = ((name.fullmatch(path.name), path) for path in self.path.iterdir())
        return [(int(match[1]), path) for match, path in found if match]
