"""Kill programs at random moments, again and again, and see that nothing is lost and nothing half written is kept.

    python scripts/kill_anywhere.py --kills 200 --json kills.json

Each job runs once undisturbed. Then it is started, killed (SIGKILL) at a random moment of that time, looked at, and
started again where it left off, until it has been killed as often as asked for; in the end it has to have made what the
undisturbed run made, byte for byte. Of a job of several processes one by chance is killed. After each kill no process
of it may be left within a minute. Exits with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb

import caffe_compat
from caffe_compat.fast_rcnn.shapes import make_shapes

ZOO = Path(caffe_compat.__file__).parent / "prototxt/zoo"
PROGRAM = [sys.executable, "-m", "caffe_compat"]
MARK = "KILL_ANYWHERE"  # a variable of the processes of a job
PATIENCE = 60  # seconds until no process of a killed job may be left
Files = dict[str, bytes]


@dataclass(frozen=True)
class Job:
    """A program that works in a folder of its own. command: its arguments, given what is there. made: what of it
    counts; missing files are those that a killed run had not made."""

    name: str
    command: Callable[[Path], list[str]]
    made: Callable[[Path], Files]


def files(folder: Path, *patterns: str) -> Files:
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def rows(folder: Path) -> Files:
    """What an LMDB holds."""
    if not (folder / "db").exists():
        return {}
    with lmdb.open(str(folder / "db"), readonly=True, lock=False) as environment, environment.begin() as read:
        return {bytes(key).decode(): bytes(value) for key, value in read.cursor()}


def lines(folder: Path) -> Files:
    """The detections, a photo each, whatever order they were found in."""
    path = folder / "found/detections.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {str(json.loads(line).get("image")): line for line in whole}


def last_state(folder: Path) -> list[str]:
    states = sorted(folder.glob("*.solverstate"), key=lambda path: int(path.stem.rpartition("_")[2]))
    return [str(states[-1])] if states else []


def solver(folder: Path, iterations: int) -> str:
    text = (ZOO / "shapes_ohem_solver.prototxt").read_text().replace('"shapes_ohem', f'"{ZOO}/shapes_ohem', 1)
    kept = [line for line in text.splitlines() if not line.startswith(("max_iter", "snapshot", "display"))]
    kept += [f"max_iter: {iterations}", "snapshot: 2", f'snapshot_prefix: "{folder}/net"', "display: 0"]
    path = folder / "solver.prototxt"
    path.write_text("\n".join(kept))
    return str(path)


def jobs(base: Path) -> list[Job]:
    """All jobs, on a drawn data set in `base`."""
    kit = ["--devkit", str(base / "kit")]
    by = ["--cfg", str(ZOO / "shapes_ohem.yml"), "--quiet"]
    photos = base / "kit/VOC2007/JPEGImages"
    names = base / "photos.txt"
    names.write_text("".join(f"{path.name} {i}\n" for i, path in enumerate(sorted(photos.iterdir()))))

    def train(folder: Path, *more: str) -> list[str]:
        resume = [word for state in last_state(folder) for word in ("-snapshot", state)]
        return [*PROGRAM, "train", "-solver", solver(folder, 12), *kit, *by, "--seed", "3", *resume, *more]

    def share(folder: Path) -> list[str]:
        run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4", "-m"]
        return [*run, *train(folder, "--engine", "torch")[2:]]

    def evaluate(folder: Path) -> list[str]:
        weights = base / "train/straight/net_iter_12.caffemodel"
        net = ["evaluate", str(ZOO / "shapes_test.prototxt"), "--weights", str(weights)]
        return [*PROGRAM, *net, *kit, *by, "--threshold", "0.01", "--output", str(folder / "found")]

    def draw(folder: Path) -> list[str]:
        again = (folder / "new/VOC2007").exists()
        return (
            ["true"] if again else [*PROGRAM, "make-shapes", str(folder / "new"), "--images", "60", "--quiet"]
        )

    def store(folder: Path) -> list[str]:
        again = (folder / "db").exists()
        made = ["convert-imageset", str(photos), str(names), str(folder / "db"), "--quiet"]
        return ["true"] if again else [*PROGRAM, *made]

    def check(folder: Path) -> list[str]:
        return [*PROGRAM, "check-data", *kit, *by, "--search", "--html", str(folder / "page.html")]

    weights = "net_iter_*.caffemodel"
    return [
        Job("train", train, lambda folder: files(folder, weights)),
        Job("evaluate", evaluate, lines),
        Job("make-shapes", draw, lambda folder: files(folder, "new/**/*")),
        Job("convert-imageset", store, rows),
        Job("check-data", check, lambda folder: files(folder, "page.html", "cache/**/*.npz")),
        Job("four workers", share, lambda folder: files(folder, weights)),
    ]


def members(mark: str) -> list[int]:
    """The processes of a job that have not ended, whatever session they are in: those that have its mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            has_mark = f"{MARK}={mark}\0".encode() in (process / "environ").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if has_mark and state not in "ZX":
            found.append(int(process.name))
    return found


def start(job: Job, folder: Path, mark: str = "") -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(
            job.command(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), MARK: mark},
            start_new_session=True,
        )


def finish(job: Job, folder: Path) -> float:
    """Run to the end; returns the seconds. Ends this program where the job fails."""
    begin = time.monotonic()
    if code := start(job, folder).wait():
        sys.exit(f"{job.name} ended with {code}:\n{(folder / 'log').read_text()[-2000:]}")
    return time.monotonic() - begin


def wrong(made: Files, want: Files, end: bool) -> list[str]:
    """The files that differ from those of the undisturbed run; at the end also those that are missing."""
    return [name for name in sorted(want) if (name in made or end) and made.get(name) != want[name]]


def kill(job: Job, base: Path, kills: int, seed: int) -> dict[str, object]:
    moments, faults, done, finished = random.Random(seed), [], 0, 0
    straight, folder = base / job.name / "straight", base / job.name / "killed"
    took = finish(job, straight)
    want = job.made(straight)
    while done < kills:
        is_new, begin = not folder.exists(), time.monotonic()
        mark = f"{folder}, {done}, {begin}"
        process = start(job, folder, mark)
        try:
            process.wait(moments.uniform(0, took))
        except subprocess.TimeoutExpired:
            alive = members(mark)
            os.kill(moments.choice(alive) if alive else process.pid, signal.SIGKILL)
            done += 1
        end = time.monotonic() + PATIENCE
        process.wait(PATIENCE)
        while (left := members(mark)) and time.monotonic() < end:
            time.sleep(0.05)
        if left:
            faults.append(f"kill {done}: {len(left)} processes left")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        whole = process.returncode == 0
        faults += [f"kill {done}: {name} differs" for name in wrong(job.made(folder), want, end=whole)]
        if whole:
            finished += 1
            took = time.monotonic() - begin if is_new else took  # the machine may be less busy than it was
            shutil.rmtree(folder)
        print(f"\r{job.name}: {done} of {kills} kills, {finished} times to its end", end="", file=sys.stderr)
    print(file=sys.stderr)
    finish(job, folder)
    faults += [f"at the end: {name} differs" for name in wrong(job.made(folder), want, end=True)]
    return {"job": job.name, "seconds": took, "kills": done, "finished": finished, "faults": faults}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="in all, shared by the jobs; default: 200")
    parser.add_argument("--only", metavar="JOB", help="one job, by its name")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default: 0")
    parser.add_argument("--json", metavar="FILE", help="write all results there")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        make_shapes(base / "kit", images=40)
        wanted = jobs(base)
        if args.only == "evaluate":  # with the weights that training makes
            finish(wanted[0], base / "train/straight")
        chosen = [job for job in wanted if args.only in (None, job.name)]
        if not chosen:
            parser.error(
                f"there is no job '{args.only}'; choose from {', '.join(job.name for job in wanted)}"
            )
        results = [kill(job, base, -(-args.kills // len(chosen)), args.seed) for job in chosen]
    for result in results:
        print(f"{result['job']:18} {result['kills']:4} kills, {len(result['faults'])} faults")
        for fault in result["faults"][:10]:
            print(f"    {fault}")
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1))
    return int(any(result["faults"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
