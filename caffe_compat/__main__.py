"""`python -m caffe_compat SCRIPT [ARGS...]`: runs a script written for pycaffe, unchanged.

`import caffe` gives this package there, and in whatever the script imports. With the name of a command of
caffe-compat in the script's place it is that command: torchrun starts modules, not commands.
"""

from __future__ import annotations

import os
import runpy
import sys
from types import ModuleType, TracebackType

from caffe_compat import old_python, stand_ins
from caffe_compat.alias import install_as_caffe
from caffe_compat.glog import init_log

USAGE = """\
usage: python -m caffe_compat SCRIPT [ARGS...]
       python -m caffe_compat -m MODULE [ARGS...]
       python -m caffe_compat COMMAND [ARGS...]      (a command of caffe-compat, such as train)

Runs a script, or a module, that was written for pycaffe: import caffe gives caffe_compat there, even where a Caffe is
installed, and the log goes to stderr as Caffe's does (GLOG_minloglevel=2 leaves it out). Names that Python, numpy or
PyYAML have changed since Python 2 are taken as today's, with a warning that says where.

example: python -m caffe_compat train.py --solver solver.prototxt
"""
RUNNING = (
    __file__,
    old_python.__file__,
    runpy.__file__,
    "<frozen runpy>",
    "<frozen importlib._bootstrap>",
    "<frozen importlib._bootstrap_external>",
)


def main(args: list[str]) -> None:
    """Run what the arguments say; ends with the script's own exit code (1 after an exception, 2 for no script)."""
    is_module = args[:1] == ["-m"]
    if is_module:
        args = args[1:]
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if args else sys.stderr)
        sys.exit(0 if args else 2)
    if not is_module and not os.path.isfile(args[0]) and args[0].replace("-", "").isalpha():
        _run_command(args)
    if not is_module and not os.path.isfile(args[0]):
        print(f"python -m caffe_compat: there is no script '{args[0]}'", file=sys.stderr)
        sys.exit(2)
    install_as_caffe()
    init_log()
    sys.argv = args
    sys.path[0] = os.getcwd() if is_module else os.path.dirname(os.path.realpath(args[0]))
    try:
        with old_python.understood():
            if is_module:
                runpy.run_module(args[0], old_python.module_globals(), run_name="__main__", alter_sys=True)
            else:
                _run_script(args[0])
    except Exception as error:
        trace = _of_the_user(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        if isinstance(error, SyntaxError):
            print(f"{error.filename}:{error.lineno}: {old_python.hint(error)}", file=sys.stderr)
        elif stand_ins.hint(error):
            print(f"{error}{stand_ins.hint(error)}", file=sys.stderr)
        sys.exit(1)


def _run_command(args: list[str]) -> None:
    """End with the exit code of a command of caffe-compat, if there is one of this name."""
    from caffe_compat.cli.main import COMMANDS
    from caffe_compat.cli.main import main as run
    from caffe_compat.engines.group import are_several

    if args[0] not in COMMANDS:
        return
    code = run(args)
    if are_several():
        # threads of torch.distributed go on, and the end of the interpreter beside them was SIGABRT now and then
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run_script(path: str) -> None:
    module = ModuleType("__main__")
    module.__file__ = path
    vars(module).update(old_python.module_globals())
    sys.modules["__main__"] = module
    exec(old_python.compile_file(path), vars(module))


def _of_the_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of what imports and runs the user's files."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    kept = None
    for entry in reversed(entries):
        if entry.tb_frame.f_code.co_filename not in RUNNING:
            entry.tb_next = kept
            kept = entry
    return kept


if __name__ == "__main__":
    main(sys.argv[1:])
