"""The train net and the test nets of a solver.

Source: Caffe's Solver::InitTrainNet and Solver::InitTestNets.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from caffe_compat.engine import EngineChoice
from caffe_compat.errors import SolverError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.common.settings import LayerSettings
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import NetParameter, NetState, SolverParameter
from caffe_compat.prototxt.reader import read_net
from caffe_compat.prototxt.source import Source
from caffe_compat.solvers.errors import solver_error

logger = logging.getLogger("caffe_compat.solver")

TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")
_Read = tuple[NetParameter, Source | None]


NetMaker = Callable[[NetParameter, Source | None], Net]


def net_maker(
    propagate_down: str | None,
    layer_settings: LayerSettings | None,
    engine: EngineChoice,
    dialect: str | None,
    python_layers: bool,
) -> NetMaker:
    """A function that makes each net of a solver with the same options; see Net."""
    return lambda param, source: Net.from_param(
        param, source, propagate_down, layer_settings, engine, dialect, python_layers
    )


class Nets:
    """Makes the nets that a SolverParameter names. `source` is the file that it was read from, if any.

    A path is looked for in the working directory, then in the solver's folder and the folders above it.
    """

    def __init__(self, param: SolverParameter, source: Source | None, make: NetMaker):
        self.param, self.source, self.make = param, source, make

    def train_net(self) -> Net:
        """The net to train. Raises SolverError unless exactly one of TRAIN_NETS is given."""
        named = [name for name in TRAIN_NETS if self.param.HasField(name)]
        if not named:
            raise self._error(f"the solver names no net to train; add one of {', '.join(TRAIN_NETS)}")
        if len(named) > 1:
            raise self._error(f"the solver names more than one net to train: {', '.join(named)}", named[1])
        net = self._make(self._read(named[0]), TRAIN, self.param.train_state)
        for files in self.param.weights:
            for path in files.split(","):
                logger.info("Finetuning from %s", path.strip())
                net.copy_from(self._find(path.strip(), "weights"))
        return net

    def test_nets(self) -> list[Net]:
        """One net for each test_iter: those of test_net_param, of test_net, then `net` or `net_param` again."""
        param = self.param
        generic = next((name for name in ("net_param", "net") if param.HasField(name)), None)
        own, asked = len(param.test_net_param) + len(param.test_net), len(param.test_iter)
        if asked < own or (asked > own and generic is None):
            raise self._error(
                f"there are {own} test nets and {asked} test_iter; give one for each", "test_iter"
            )
        if param.test_state and len(param.test_state) != asked:
            raise self._error(
                f"there are {asked} test nets and {len(param.test_state)} test_state; give none, or one for each",
                "test_state",
            )
        if asked and param.test_interval <= 0:
            raise self._error("there are test nets, but no test_interval; add one above 0", "test_iter")
        fields = [("test_net_param", i) for i in range(len(param.test_net_param))]
        fields += [("test_net", i) for i in range(len(param.test_net))]
        fields += [(generic or "", 0)] * (asked - own)
        nets = []
        for i, (name, index) in enumerate(fields):
            states = [param.test_state[i]] if param.test_state else []
            nets.append(self._make(self._read(name, index), TEST, *states))
        return nets

    def _make(self, read: _Read, phase: int, *states: NetState) -> Net:
        """A net in a state merged from the phase, the net's own state and the solver's; the last that sets a field
        counts."""
        param, source = read
        state = NetState(phase=phase)  # type: ignore[arg-type]  # the stubs have an enum of their own
        for part in (param.state, *states):
            state.MergeFrom(part)
        param.state.CopyFrom(state)
        return self.make(param, source)

    def _read(self, field: str, index: int = 0) -> _Read:
        value = getattr(self.param, field)
        if field.startswith("test_"):
            value = value[index]
        if not isinstance(value, str):
            copy = NetParameter()
            copy.CopyFrom(value)
            return copy, None
        return read_net(self._find(value, field, index))

    def _find(self, path: str, field: str, index: int = 0) -> str:
        folders = [Path()]
        if self.source is not None:
            folders += Path(os.path.abspath(self.source.name)).parents
        for folder in folders:
            if (folder / path).is_file():
                return str(folder / path)
        looked = f"'{os.getcwd()}'" + (f", '{folders[1]}' and the folders above it" if folders[1:] else "")
        where = "there is no such file" if os.path.isabs(path) else f"looked in {looked}"
        raise self._error(f"cannot find {field} '{path}': {where}", field, index)

    def _error(self, message: str, *path: str | int) -> SolverError:
        return solver_error(message, self.source, *path)
