"""How much processor time and memory a container lets a process have.

Source: Linux' cgroup v2 (`cpu.max`, `memory.max`) and v1 (`cpu.cfs_quota_us` and `cpu.cfs_period_us`,
`memory.limit_in_bytes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_V2 = ("", "unified")  # where the trees of v2 stand below /sys/fs/cgroup, and those of v1 by controller
_V1 = {"cpu": ("cpu", "cpu,cpuacct"), "memory": ("memory",)}


def cpu_quota(system: str = "/") -> float | None:
    """How many processors' time this process may take, 1.5 for one and a half; None where nothing limits it.

    The least of its group's and of all groups' around it. system: the folder in which proc and sys stand.
    """
    root = Path(system)
    quotas = [quota for quota in map(_quota, _groups(root, "cpu")) if quota is not None]
    return min(quotas, default=None)


def memory_quota(system: str = "/") -> int | None:
    """How many bytes this process may take, as `cpu_quota`."""
    groups = _groups(Path(system), "memory")
    told = (
        _text(group / name).strip() for group in groups for name in ("memory.max", "memory.limit_in_bytes")
    )
    return min((int(number) for number in told if number.isdecimal()), default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's groups and of those around them; in a container, some may not be there."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controller in controllers.split(","):
            group = PurePosixPath(path.lstrip("/"))
            for tree in _V2 if number == "0" else _V1[controller]:
                for folder in (group, *group.parents):
                    yield root / "sys/fs/cgroup" / tree / folder


def _quota(group: Path) -> float | None:
    given = _text(group / "cpu.max").split()
    if not given:
        given = [*_text(group / "cpu.cfs_quota_us").split(), *_text(group / "cpu.cfs_period_us").split()]
    if len(given) != 2 or not all(number.isdecimal() for number in given) or given[1] == "0":
        return None  # "max" and -1 are no limit
    return int(given[0]) / int(given[1]) or None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
