"""scripts/fuzz.py: a short run that finds nothing, and that it would find what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fuzz(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_short_run_finds_nothing(tmp_path):
    done = fuzz("--inputs", 12, "--seed", 5, "--keep", tmp_path / "found")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [
        re.match(r"(\w+): 12 inputs, (\d+) right, (\d+) refused, 0 faults", line)
        for line in done.stdout.splitlines()
    ]
    assert len(lines) == 20 and all(lines), done.stdout
    right, refused = (sum(int(line[k]) for line in lines if line) for k in (2, 3))
    assert right > 40 and refused > 80  # neither is all that there is
    assert not (tmp_path / "found").exists()


def test_each_kind_of_fault_is_seen_kept_and_replayed(tmp_path):
    """Of a target that fails on purpose: an exception, too much memory, the end by a signal, and no end."""
    done = fuzz("faults", "--inputs", 7, "--seconds", 0.2, "--megabytes", 2000, "--keep", tmp_path)
    assert done.returncode == 1 and "faults: 7 inputs, " in done.stdout
    kept = dict(re.findall(r"^(\S+faults-0-\d+): (.+)$", done.stdout, re.MULTILINE))
    told = {(tmp_path / path).read_bytes(): kind for path, kind in kept.items()}
    assert told == {
        b"raw": "KeyError in other code",
        b"memory": "MemoryError in other code",
        b"signal": "ended by SIGSEGV",
        b"hang": "takes too long",
    }
    for path, kind in kept.items():
        again = fuzz("--replay", path, "--seconds", 0.2, "--megabytes", 2000)
        assert (again.returncode, again.stdout) == (1, f"{path}: {kind}\n")
        assert ("Traceback" in again.stderr) == ("Error" in kind)


def test_the_same_seed_gives_the_same_inputs(tmp_path):
    runs = [
        fuzz("mean", "--inputs", 40, "--seed", 3, "--batch", batch, "--keep", tmp_path) for batch in (40, 7)
    ]
    counts = [re.match(r"mean: (.*) faults", done.stdout)[1] for done in runs]
    assert counts[0] == counts[1]
