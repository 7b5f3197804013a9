"""What a container lets a process have, from files as Linux has them."""

import pytest

from caffe_compat.quotas import cpu_quota, memory_quota

V1 = "4:memory:/box\n2:cpu,cpuacct:/box/inner\n1:name=systemd:/\n"


def system(folder, groups, **files):
    """A folder like /: what /proc/self/cgroup says, and files below /sys/fs/cgroup by their path."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for path, text in files.items():
        file = folder / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "70000 20000\n"}, 3.5),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "cpu.max": "250000 100000\n"}, 2.5),
        ("0::/a\n", {"b/cpu.max": "50000 100000\n"}, None),
        ("0::/of/the/host\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("1:cpu:/\n0::/a\n", {"unified/a/cpu.max": "30000 10000\n"}, 3),
        (V1, {"cpu/box/inner/cpu.cfs_quota_us": "30000\n", "cpu/box/inner/cpu.cfs_period_us": "20000\n"}, 1.5),
        (V1, {"cpu,cpuacct/box/cpu.cfs_quota_us": "250000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"}, 2.5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        (V1, {"memory/box/cpu.cfs_quota_us": "1", "memory/box/cpu.cfs_period_us": "100000"}, None),
        ("", {"cpu.max": "150000 100000\n"}, None),
        ("0::/\n", {"cpu.max": "\n"}, None),
        ("0::/\n", {"cpu.max": "100000 0\n"}, None),
    ],
)  # fmt: skip
def test_quota(groups, files, quota, tmp_path):
    assert cpu_quota(system(tmp_path, groups, **files)) == quota


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "7000000\n"}, 7000000),
        ("0::/\n", {"memory.max": "max\n"}, None),
        (V1, {"memory/box/memory.limit_in_bytes": "5000\n", "memory/memory.limit_in_bytes": "9000\n"}, 5000),
        (V1, {"cpu/box/memory.limit_in_bytes": "5000\n"}, None),
    ],
)
def test_memory(groups, files, quota, tmp_path):
    assert memory_quota(system(tmp_path, groups, **files)) == quota


def test_no_such_system(tmp_path):
    assert cpu_quota(str(tmp_path)) is None and memory_quota(str(tmp_path)) is None


def test_of_this_process():
    quota = cpu_quota()
    assert quota is None or quota > 0
