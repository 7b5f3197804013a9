"""Runs a command of caffe-compat as torchrun does, in several workers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from processes import with_torch

# what torchrun does, but its workers are forked; each writes down what it decodes
WORKERS = """\
import os, signal, sys, zlib
import cv2
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
import caffe_compat.engines.fast.engine, caffe_compat.fast_rcnn.detections  # once for all
from caffe_compat.cli.main import main

def worker(victim, *args):
    decode, read = cv2.imdecode, []
    path = f"decoded.{os.environ['RANK']}"
    open(path, "w").close()

    def counted(content, flags):
        read.append(content)
        if os.environ["RANK"] == victim and len(read) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        with open(path, "a") as file:
            print(zlib.crc32(content), file=file)
        return decode(content, flags)

    cv2.imdecode = counted
    sys.exit(main(list(args)))

one_machine = {"min_nodes": 1, "max_nodes": 1, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
count = int(sys.argv[1])
config = LaunchConfig(**one_machine, nproc_per_node=count, max_restarts=0, run_id=str(os.getpid()), start_method="fork")
elastic_launch(config, worker)(*sys.argv[2:])
"""


def run_workers(
    count: int, *args: object, cwd: Path, victim: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in so many workers; `victim` is the rank of one that is killed at its third photo."""
    return with_torch(WORKERS, count, victim, *args, cwd=cwd)


def decoded(folder: Path, count: int) -> list[list[str]]:
    """What each worker has decoded, by rank: a checksum for each photo."""
    return [(folder / f"decoded.{rank}").read_text().split() for rank in range(count)]
