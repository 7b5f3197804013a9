"""Files of the users' own that have the name of a Python layer that is built in."""

from __future__ import annotations

import hashlib
import os
import sys

# of the files that the layers built in stand for, without CR: Fast R-CNN's, Faster R-CNN's, OHEM's and R-FCN's
DIGESTS = {
    "b3b5ae87d01db03c", "9b0951360fbcd5fa", "b58d3cf364241462", "1046bda448a88c1f", "72ef00aad31802cc",
    "e226384a8f0c87fb", "0ad41e7628009e95", "f710bb0ceac9167b", "e38814e3960f93cd", "abe3f9cd75b8bb0d",
}  # fmt: skip


def own_file(module: str) -> str | None:
    """The file that `import module` would read, where it is another than the original one; None without one."""
    name = module.replace(".", os.sep) + ".py"
    for folder in sys.path:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return None if _digest(path) in DIGESTS else path
    return None


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read().replace(b"\r", b"")).hexdigest()[:16]
