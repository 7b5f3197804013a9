"""Solver: trains a net as a solver.prototxt says, like pycaffe's Solver, with a log that Caffe's parsers can read.

The log goes to the logger "caffe_compat.solver"; its lines are what Caffe prints behind glog's prefix.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from os import PathLike, fspath

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engine import EngineChoice, choose
from caffe_compat.engines.base import Updates, Workers
from caffe_compat.engines.group import WorkerLost, read_by_each
from caffe_compat.errors import SolverError
from caffe_compat.layers.common.follows_training import FollowsTraining
from caffe_compat.layers.common.settings import LayerSettings
from caffe_compat.learnable_params import Param
from caffe_compat.loss_warnings import LossWarnings
from caffe_compat.net import Net
from caffe_compat.nothing_learns import nothing_learns
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.prototxt.reader import read_solver
from caffe_compat.prototxt.source import Source
from caffe_compat.rng import caffe_rng, set_random_seed
from caffe_compat.solvers import schedules
from caffe_compat.solvers import snapshot as snapshots
from caffe_compat.solvers.checks import Fault, fault_of_net, fault_of_params, fault_of_snapshots
from caffe_compat.solvers.debug_info import DebugInfo
from caffe_compat.solvers.detection_score import DetectionScores
from caffe_compat.solvers.errors import solver_error
from caffe_compat.solvers.history import History
from caffe_compat.solvers.idle_fields import idle_fields
from caffe_compat.solvers.lr_policy import LearningRate
from caffe_compat.solvers.nets import NetMaker, Nets, net_maker
from caffe_compat.solvers.outputs import Means, log_outputs, outputs
from caffe_compat.solvers.smoothed_loss import SmoothedLoss
from caffe_compat.solvers.snapshot import HasState, WeightExport

logger = logging.getLogger("caffe_compat.solver")

Terms = tuple[np.float32, np.float32, np.float32, np.float32]  # see layers/kernels/updates.py


@dataclass
class Iteration:
    """One iteration, as callbacks of `on_iteration` get it. `iter` counts from 0, as in the log; `loss` is averaged
    over iter_size, `smoothed_loss` over average_loss iterations; `seconds` is the time of the iteration, without
    tests."""

    iter: int
    loss: float
    smoothed_loss: float
    lr: float
    seconds: float


@dataclass
class Tested:
    """One test of a test net: the iteration, the net's number, and the mean of each output blob over test_iter passes,
    flat; with eval_type "detection" the mean average precision of each."""

    iter: int
    net: int
    scores: dict[str, np.ndarray]


@dataclass
class Requests:
    """What a solver was asked to do from outside: to stop, to take a snapshot."""

    stop: bool = False
    snapshot: bool = False


class Solver:
    """A solver of one of the types in types.py: `SGDSolver(file)`, or `get_solver(file)` for the type in the file.

    solver_file: a solver's prototxt. The nets and weights that it names are looked for in the working directory, then
    in the solver's folder and the folders above it. The other arguments: see Net.

    Attributes:
        net, test_nets   the test nets use the params of the train net
        iter             how many times the params were updated
        param            the SolverParameter
        history          what the type remembers of each learnable param
        smoothed         the loss, averaged over average_loss iterations
        stopped          whether the last `step` or `solve` ended because of `request_stop`
        weight_exports   layer name -> function from its params (arrays) to those that a .caffemodel gets instead
        side_files       ending -> text that snapshots get as PREFIX_iter_N.ENDING
        extra_state      name -> object whose state (get_state, set_state) snapshots keep, besides that of layers

    Raises PrototxtError, SolverError, or what Net raises.
    Source: Caffe's Solver, SGDSolver::ApplyUpdate, and pycaffe's Solver.
    """

    type = ""
    histories = 1  # number of arrays that the type remembers for each param
    update_is_history = False  # whether the first of these is what the param was last moved by
    reads: tuple[str, ...] = ()  # those of its fields that not all types read

    def __init__(
        self,
        solver_file: str | PathLike[str],
        propagate_down: str | None = None,
        layer_settings: LayerSettings | None = None,
        engine: str | None = None,
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
        dialect: str | None = None,
        python_layers: bool = True,
    ):
        choice = choose(engine, device, precision, compiled)
        make = net_maker(propagate_down, layer_settings, choice, dialect, python_layers)
        self._build(*read_solver(fspath(solver_file)), make)

    @classmethod
    def from_param(
        cls,
        param: SolverParameter,
        source: Source | None = None,
        propagate_down: str | None = None,
        layer_settings: LayerSettings | None = None,
        engine: EngineChoice | None = None,
        dialect: str | None = None,
        python_layers: bool = True,
    ) -> Solver:
        """A solver from a message in today's form."""
        solver = cls.__new__(cls)
        make = net_maker(propagate_down, layer_settings, engine or choose(), dialect, python_layers)
        solver._build(param, source, make)
        return solver

    @classmethod
    def fields_of_others(cls) -> list[str]:
        """The fields that only solvers of other types read."""
        return sorted({name for kind in Solver.__subclasses__() for name in kind.reads}.difference(cls.reads))

    # ---- building ---------------------------------------------------------------------------------------------
    def _build(self, param: SolverParameter, source: Source | None, make: NetMaker) -> None:
        self.param, self.source = param, source
        if param.HasField("type") and param.type != self.type:
            logger.warning("The solver's type is %s, this is a solver of type %s", param.type, self.type)
        self._check_param()
        self.learning_rate = LearningRate(param, source)
        for text in idle_fields(param, self.type, self.fields_of_others()):
            logger.warning("%s%s", f"{source.name}: " if source else "", text)
        if param.random_seed >= 0:
            set_random_seed(param.random_seed)
        nets = Nets(param, source, make)
        self.net, self.test_nets = nets.train_net(), nets.test_nets()
        self._refuse(fault_of_net(self.net))
        self.net.engine.train()
        self.workers: Workers | None = self.net.engine.workers
        for net in self.test_nets:
            net.share_with(self.net)
        self.iter = 0
        self.momentum = param.momentum  # of the running update, where the type's momentum may change
        self.stopped = False
        self.history = History(self.net, self.histories)
        self._saved_iter = -1
        self._requests, self._wishes = Requests(), Requests()
        self.weight_exports: dict[str, WeightExport] = {}
        self.side_files: dict[str, str] = {}
        self.extra_state: dict[str, HasState] = {}
        self._callbacks: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._on_iteration: list[Callable[[Iteration], None]] = []
        self._on_test: list[Callable[[Tested], None]] = []
        self._wrong_losses = LossWarnings(self.net)
        self._standstill_is_told = False
        self._debug_infos = [DebugInfo(net, True) for net in self.test_nets if param.debug_info]
        self._debug_info = DebugInfo(self.net, False) if param.debug_info else None
        self.smoothed = SmoothedLoss(param.average_loss)

    def _check_param(self) -> None:
        self._refuse(fault_of_params(self.param, self.type))
        if self.param.snapshot:
            self.check_snapshots()
        self.check()

    def check_snapshots(self) -> None:
        """Raise SolverError where snapshots cannot be written."""
        self._refuse(fault_of_snapshots(self.param, self.snapshot_prefix()))

    def _refuse(self, fault: Fault | None) -> None:
        if fault:
            raise self.error(*fault)

    def error(self, message: str, field: str) -> SolverError:
        """The error to raise for a field of the solver's prototxt; it names the place."""
        return solver_error(message, self.source, field)

    # ---- what a type does -------------------------------------------------------------------------------------
    def check(self) -> None:
        """Raise SolverError where the params do not suit this type."""

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        """Move a param (`data`) as its raw diff demands, and leave in the diff what it was moved by. Arrays are the
        engine's own (see Updates in engines/base.py).

        With `update_is_history` the diff may stay as it is.
        """
        raise NotImplementedError

    # ---- training ---------------------------------------------------------------------------------------------
    def step(self, iterations: int) -> None:
        """Train for so many iterations, with the tests, log lines and snapshots that fall due.

        The window of average_loss goes on from the previous call; Caffe begins a new one.
        """
        end = self.iter + iterations
        self.stopped = False
        self._warn_of_standstill()
        while self.iter < end and not self.stopped:
            snapshot_due = False
            if not self._test_due() or self.test_all():
                self._iterate()
                snapshot_due = self._due(self.param.snapshot)
            self._honour_requests(snapshot_due)

    def solve(self, resume_file: str | PathLike[str] | None = None) -> None:
        """Train until max_iter, from the current iteration or from a state; then take a snapshot, and test.

        Raises SolverError where there is no max_iter, and what `restore` raises.
        """
        param = self.param
        logger.info("Solving %s", self.net.name)
        logger.info("Learning Rate Policy: %s", param.lr_policy)
        if not param.HasField("max_iter"):
            raise self.error(
                "there is no max_iter, so training would never end; add it, or call step", "max_iter"
            )
        if param.snapshot_after_train:
            self.check_snapshots()
        if resume_file is not None:
            logger.info("Restoring previous solver status from %s", fspath(resume_file))
            self.restore(resume_file)
        if self.iter >= param.max_iter:
            logger.warning(
                "Nothing is left to train: iteration %d is done, and max_iter is %d",
                self.iter,
                param.max_iter,
            )
        self.step(param.max_iter - self.iter)
        if self.stopped:
            logger.info("Optimization stopped early.")
        else:
            self._finish()
        if self.workers is not None:
            logger.info("%s", read_by_each(self.workers.images_read()))
            self.workers.group.close()

    def _warn_of_standstill(self) -> None:
        """Say once why training changes nothing, where it does not."""
        if self._standstill_is_told:
            return
        self._standstill_is_told = True
        text, param = nothing_learns(self.net), self.param
        if text is None and param.base_lr == 0 and param.lr_policy != "multifixed":
            text = "nothing learns: base_lr is 0, or not given"
        if text is None and param.clip_gradients == 0:
            text = "nothing learns: clip_gradients is 0, which makes each gradient 0; a negative one clips nothing"
        if text is not None:
            logger.warning("%s", text)

    def _finish(self) -> None:
        """Do what follows the last iteration: a snapshot, the loss and the tests, as far as they are due."""
        param = self.param
        if param.snapshot_after_train and self._saved_iter != self.iter:
            self.snapshot()
        if self._due(param.display):
            self.smoothed.add(self.net.forward_from_to())
            logger.info("Iteration %d, loss = %g", self.iter, self.smoothed.mean)
        if self._due(param.test_interval):
            self.test_all()
            self._honour_requests()
        logger.info("Optimization Done.")

    def _due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _test_due(self) -> bool:
        return self._due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization)

    def _iterate(self) -> None:
        if self.workers is None:
            self._iterate_here()
            return
        try:
            with self.workers.iteration(self.net, self.iter):
                self._iterate_here()
        except WorkerLost as lost:
            self._end_without(self.workers, lost)

    def _end_without(self, workers: Workers, lost: WorkerLost) -> None:
        if not workers.group.is_first_to_end():
            raise SystemExit(SolverError.exit_code)
        path = self._write_snapshot()
        raise SolverError(
            f"{lost}; all params are in the snapshot {path}: go on from it with --resume {path}"
        )

    def _iterate_here(self) -> None:
        start = time.perf_counter()
        display = self._due(self.param.display)
        self.net.clear_param_diffs()
        self._tell_progress()
        for on_start, _ in self._callbacks:
            on_start()
        loss = self._forward_backward(display)
        self.smoothed.add(loss)
        if display:
            logger.info("Iteration %d, loss = %g", self.iter, self.smoothed.mean)
            log_outputs(self.net, "Train", outputs(self.net))
        for _, on_gradients_ready in self._callbacks:
            on_gradients_ready()
        rate = self.apply_update()
        done = Iteration(self.iter, loss, self.smoothed.mean, rate, time.perf_counter() - start)
        self.iter += 1
        for callback in self._on_iteration:
            callback(done)

    def _tell_progress(self) -> None:
        for layer in self.net.layers:
            if isinstance(layer, FollowsTraining):
                layer.progress = min(1.0, self.iter / max(1, self.param.max_iter))

    def _forward_backward(self, display: bool) -> float:
        """Run forward and backward iter_size times; returns the mean loss."""
        if self._debug_info:
            self._debug_info.on = display
        loss = 0.0
        for turn in range(self.param.iter_size):
            with self._one_of_them(is_last=turn + 1 == self.param.iter_size):
                loss += self.net.forward_from_to()
                for text in self._wrong_losses():
                    logger.warning("Iteration %d, %s", self.iter, text)
                self.net.backward_from_to()
            if self._debug_info:
                self._debug_info.all_params()
        loss /= self.param.iter_size
        return loss if self.workers is None else self._with_others(self.workers, loss)

    def _one_of_them(self, is_last: bool) -> AbstractContextManager[None]:
        """A forward and backward of an iteration; in the last one several workers add their gradients up."""
        return nullcontext() if self.workers is None else self.workers.forward_backward(is_last)

    def _with_others(self, workers: Workers, loss: float) -> float:
        """Agree with all workers on what they were asked for; returns the mean loss."""
        wishes, self._wishes = self._wishes, Requests()
        loss, stop, snapshot = workers.agree(loss, wishes.stop, wishes.snapshot)
        self._requests.stop |= stop
        self._requests.snapshot |= snapshot
        return loss

    # ---- the update -------------------------------------------------------------------------------------------
    def apply_update(self) -> float:
        """Move the params as their diffs demand; returns the learning rate. `step` calls this."""
        self.learning_rate.see(self.iter, self.smoothed.mean)
        rate = self.learning_rate.at(self.iter)
        if self._due(self.param.display):
            logger.info("Iteration %d, lr = %g", self.iter, rate)
        self.momentum = schedules.momentum(self.param, self.iter, rate)
        clip = self._clip()
        for i, param in enumerate(self.net.learnable):
            if param.lr_mult.value == 0 and not self.history.has(i):
                continue  # a frozen param: its update is 0
            blob, terms = self.net.param_blob(param), self._terms(param, clip)
            norms = partial(self._norms, blob, float(terms[0] * terms[1]))
            own_rate = schedules.own_rate(self.param, rate, param.lr_mult.value, norms)
            self._move(i, blob, terms, float(np.float32(own_rate)))
        return rate

    def _norms(self, blob: Blob, scale: float) -> tuple[float, float]:
        """The L2 norms of a param, and of its diff times `scale`."""
        updates = self.updates
        return math.sqrt(updates.sum_of_param_squares(blob)), scale * math.sqrt(updates.sum_of_squares(blob))

    def _move(self, index: int, blob: Blob, terms: Terms, rate: float) -> None:
        """Update one learnable param."""
        updates, history = self.updates, self.history.of(index)
        diff, data = updates.diff_and_data(blob)
        self.update(terms, rate, history, diff, data)
        updates.moved(blob, diff, data)
        if self.update_is_history:
            blob.defer_diff(lambda diff: np.copyto(diff, updates.to_host(history[0]).reshape(diff.shape)))

    @property
    def updates(self) -> Updates:
        """The Updates of the train net's engine, which move its params."""
        return self.net.engine.updates

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self.learning_rate.at(self.iter)

    def _clip(self) -> float:
        """The factor that brings the L2 norm of all diffs down to clip_gradients; 1 where it is not above."""
        limit = self.param.clip_gradients
        if limit < 0:
            return 1.0
        blobs = [self.net.param_blob(param) for param in self.net.learnable]
        norm = math.sqrt(sum(self.updates.sum_of_squares(blob) for blob in blobs if blob.has_diff))
        if not norm > limit:
            return 1.0
        logger.info(
            "Gradient clipping: scaling down gradients (L2 norm %g > %g) by scale factor %g",
            norm,
            limit,
            limit / norm,
        )
        return limit / norm

    def _terms(self, param: Param, clip: float) -> Terms:
        decay = np.float32(schedules.weight_decay(self.param, self.iter)) * np.float32(param.decay_mult.value)
        l1 = (param.regularization or self.param.regularization_type) == "L1"
        share = np.float32(1) / np.float32(self.param.iter_size)
        if self.workers is not None:
            share /= np.float32(self.workers.group.count)
        zero = np.float32(0)
        return np.float32(clip), share, zero if l1 else decay, decay if l1 else zero

    # ---- tests ------------------------------------------------------------------------------------------------
    def test_all(self) -> bool:
        """Run all test nets; returns False where `request_stop` cut that short.

        The data and the random numbers are then put back to where they were before, so that a resumed run repeats the
        tests from the first one.
        """
        layers = [layer for net in self.test_nets for layer in net.layers]
        before = [(layer, layer.get_state()) for layer in layers]
        drawn, shuffled = caffe_rng().get_state(), np.random.get_state()
        if all(self._test(i) for i in range(len(self.test_nets))):
            return True
        logger.info("Test interrupted.")
        for layer, state in before:
            if state:
                layer.set_state(state)
        caffe_rng().set_state(drawn)
        np.random.set_state(shuffled)
        return False

    def _test(self, index: int) -> bool:
        logger.info("Iteration %d, Testing net (#%d)", self.iter, index)
        net, means = self.test_nets[index], self._means()
        for _ in range(self.param.test_iter[index]):
            if self._requests.stop:
                return False
            means.forward(net)
        if self.param.test_compute_loss:
            logger.info("Test loss: %g", means.loss)
        scores = means.scores
        log_outputs(net, "Test", scores)
        for callback in self._on_test:
            callback(Tested(self.iter, index, scores))
        return True

    def _means(self) -> Means | DetectionScores:
        """What collects the outputs of a test net."""
        param = self.param
        if param.eval_type == "detection":
            return DetectionScores(param.ap_version, param.show_per_class_result)
        return Means()

    # ---- snapshots --------------------------------------------------------------------------------------------
    def snapshot_prefix(self) -> str:
        """The path that the names of snapshots begin with: snapshot_prefix. Without one it is the name of the solver
        file without its ending; where it is a folder, that name in the folder."""
        prefix = self.param.snapshot_prefix
        stem = os.path.splitext(self.source.name)[0] if self.source else "solver"
        if not prefix:
            return stem
        return os.path.join(prefix, os.path.basename(stem)) if os.path.isdir(prefix) else prefix

    def snapshot(self) -> str:
        """Write PREFIX_iter_N.caffemodel, .solverstate and .extra.npz (see snapshot.py); returns the path of the state.

        Of several workers only the first one writes; the others return an empty string.
        """
        if self.workers is None or self.workers.group.rank == 0:
            return self._write_snapshot()
        self._saved_iter = self.iter
        return ""

    def _write_snapshot(self) -> str:
        path = snapshots.write(self)
        self._saved_iter = self.iter
        return path

    def restore(self, state_file: str | PathLike[str]) -> None:
        """Go on from the state of a snapshot; with its .extra.npz, exactly as if there had been no interruption.

        Set data sources, weight_exports and extra_state first. A state that Caffe wrote has no .extra.npz, which a
        warning in the log says. Raises SolverError or WeightsError where the state does not fit the solver or its net.
        """
        snapshots.restore(self, fspath(state_file))
        self._saved_iter = self.iter

    def share_weights(self, net: Net) -> None:
        """Let another net use the params of the train net, in the same memory, by layer names. pycaffe's."""
        net.share_with(self.net)

    # ---- requests and callbacks -------------------------------------------------------------------------------
    def request_stop(self, snapshot: bool = True) -> None:
        """End `step` or `solve` after the running iteration, or at once in a test; first take a snapshot, if asked.

        May be called from a signal handler.
        """
        asked = self._requests if self.workers is None else self._wishes  # all stop after the same iteration
        asked.stop, asked.snapshot = True, snapshot

    def request_snapshot(self) -> None:
        """Take a snapshot after the running iteration. May be called from a signal handler."""
        asked = self._requests if self.workers is None else self._wishes
        asked.snapshot = True

    def _honour_requests(self, snapshot_due: bool = False) -> None:
        requests = self._requests
        asked, requests.snapshot = requests.snapshot, False
        if (snapshot_due or asked) and self._saved_iter != self.iter:
            self.snapshot()
        self.stopped, requests.stop = requests.stop, False

    def add_callback(self, on_start: Callable[[], None], on_gradients_ready: Callable[[], None]) -> None:
        """In each iteration, call the first before forward and the second between backward and update. pycaffe's."""
        self._callbacks.append((on_start, on_gradients_ready))

    def on_iteration(self, callback: Callable[[Iteration], None]) -> None:
        """Call this with an Iteration after each update and before a snapshot, for progress and metrics."""
        self._on_iteration.append(callback)

    def remove_on_iteration(self, callback: Callable[[Iteration], None]) -> None:
        """Call this no more after updates."""
        self._on_iteration.remove(callback)

    def on_test(self, callback: Callable[[Tested], None]) -> None:
        """Call this with a Tested after each test of a test net."""
        self._on_test.append(callback)
