"""Users' modules that were written for Python 2, or for an older numpy or PyYAML, run where only names have changed.

The builtins of Python 2 are globals of such a module; other names are replaced in its text before it is compiled, and
what is refused today goes through `old_meanings`. Only modules of the user's own are looked at, and nothing is patched
that others see.
"""

from __future__ import annotations

import builtins
import functools
import io
import os
import re
import site
import symtable
import sys
import sysconfig
import tokenize
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source, find_spec
from itertools import accumulate, pairwise
from keyword import iskeyword
from typing import Any

import numpy
import yaml

from caffe_compat import old_meanings, stand_ins
from caffe_compat.safe_yaml import Loader

BUILTINS: dict[str, Any] = {
    "xrange": range, "unicode": str, "basestring": str, "long": int, "unichr": chr, "raw_input": input,
    "reduce": functools.reduce,
}  # fmt: skip
NUMPY = {
    "float": "float", "int": "int", "bool": "bool", "object": "object", "str": "str", "complex": "complex",
    "long": "int", "unicode": "str", "float_": "{}.float64", "Inf": "{}.inf", "Infinity": "{}.inf",
    "infty": "{}.inf", "NaN": "{}.nan", "product": "{}.prod", "cumproduct": "{}.cumprod", "sometrue": "{}.any",
    "alltrue": "{}.all",
}  # fmt: skip
METHODS = {"iteritems": "items", "iterkeys": "keys", "itervalues": "values"}
MODULES = {
    "cPickle": "pickle", "Queue": "queue", "ConfigParser": "configparser", "StringIO": "io", "cStringIO": "io",
    "__builtin__": "builtins",
}  # fmt: skip
MEANINGS = {
    "__whole__": old_meanings.whole,
    "__no_items__": old_meanings.NO_ITEMS,
    "__dump__": old_meanings.dump,
    "__load__": old_meanings.load,
}
CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
# folders of a bare checkout that is on the path; they hide no user's package
CHECKOUTS_OWN = ("layers", "prototxt")
INSTALLED = tuple(
    folder + os.sep
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)


def hint(error: SyntaxError) -> str:
    """What to do about a file that is no Python 3."""
    if isinstance(error, IndentationError) and _has_tabs(error.filename):
        # Python 2 took a tab to the next multiple of 8
        name = error.filename
        return f"it mixes tabs and blanks, as Python 2 allowed: expand -t 8 {name} > {name}.new; mv {name}.new {name}"
    return f"is it Python 2 code? Convert it: 2to3 -w {error.filename} (2to3 comes with Python up to 3.12)"


def _has_tabs(path: str | None) -> bool:
    if path is None or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return b"\t" in file.read()


def compile_file(path: str, package: str = "") -> types.CodeType:
    """The code of a module, to be run with `module_globals`; a warning says which lines have old names.

    package: the package that the module is in. Raises SyntaxError.
    """
    with open(path, "rb") as file:
        source = file.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the last compile gives them, once
        compile(source, path, "exec", dont_inherit=True)
        text = decode_source(source)
        own = set(_bound(symtable.symtable(text, path, "exec")))
        changes = sorted(_changes(text, own, path, package))
    told = {(text.count("\n", 0, start) + 1, said) for start, _, _, said in changes if said}
    if told:
        _warn(path, sorted(told))
    for start, end, new, _ in reversed(changes):
        text = text[:start] + new + text[end:]
    return compile(text, path, "exec", dont_inherit=True)


def module_globals() -> dict[str, Any]:
    """What a user's module has before it runs."""
    return {**BUILTINS, **MEANINGS, "__yaml_load__": lambda stream, Loader=Loader: yaml.load(stream, Loader)}


def _bound(scope: symtable.SymbolTable) -> Iterator[str]:
    """The names that a module binds itself, at its top or further in."""
    yield from (symbol.get_name() for symbol in scope.get_symbols() if symbol.is_local())
    for inner in scope.get_children():
        yield from _bound(inner)


def _warn(path: str, lines: list[tuple[int, str]]) -> None:
    said = "; ".join(f"line {line}: {what}" for line, what in lines[:8])
    more = f"; and {len(lines) - 8} more" if len(lines) > 8 else ""
    message = f"written for Python 2 or an older library, runs in today's words: {said}{more}"
    warnings.warn_explicit(message, UserWarning, path, lines[0][0])


# ---- changes of the text --------------------------------------------------------------------------------------

AFTER_DOT = r"(?<=[^\d.]\.)[\s\\]+"  # of an attribute, not of 1. or ...
FIELD = r"(\{[^\n{}'\":!]+)|\{\{|."  # of an f-string, which is one token before Python 3.12
NAME = r"(?<![\w.])"  # before a name that is no attribute
READ = r"\b(?! *=(?!=))"  # after one that is neither assigned to nor a keyword
ONE_ARGUMENT = r"(?= *\((?:[^(),=]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+\))"
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")
BLANK = (tokenize.COMMENT, tokenize.NL)
IMPORT = r"(?m)(?:(?<!\\\n)^|(?<=[;:]))[ \t]*(?:from +|import +(?:(?:[^\n;]|\\\n)*,)?[ \\\n]*)"


def _changes(text: str, own: set[str], path: str, package: str) -> Iterator[tuple[int, int, str, str]]:
    """Where a change starts and ends, the new text, and what the user is told, if anything; `own` names stay.

    Raises SyntaxError.
    """
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    places = _Places(text)
    for first, last in _whole_numbers([token for token in tokens if token.type not in BLANK]):
        yield places[first.start], places[first.start], "__whole__(", ""
        yield places[last.end], places[last.end], ")", ""
    code = _code(text, tokens, places)
    _check_excepts(code, own, path)
    words = set(re.findall(r"\w+", code)) if package else ()
    siblings = {word: f"{package}.{word}" for word in words if _is_sibling(word, os.path.dirname(path))}
    for pattern, new, said in _patterns(code, own, siblings):
        for found in re.finditer(pattern, code):
            yield *found.span(1), new, said


def _check_excepts(code: str, own: set[str], path: str) -> None:
    """Raise SyntaxError for Python 2's `except A, e:`, which Python 3.14 takes for two exceptions."""
    for found in re.finditer(r"\bexcept +[\w.]+ *, *(\w+) *:", code):
        if found[1] not in own and not hasattr(builtins, found[1]):
            line = code.count("\n", 0, found.start()) + 1
            raise SyntaxError(
                f"'{found[1]}' is no exception; write 'as {found[1]}'", (path, line, None, None)
            )


class _Places:
    """Where in a text a line and column are."""

    def __init__(self, text: str):
        self.lines = [0, *accumulate(map(len, io.StringIO(text)))]

    def __getitem__(self, place: tuple[int, int]) -> int:
        return self.lines[place[0] - 1] + place[1]


def _code(text: str, tokens: Sequence[tokenize.TokenInfo], places: _Places) -> str:
    """The text with quotes for all of strings and comments, and dots for the gap after a dot; nothing moves."""
    code = list(text)
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind == "COMMENT" or "STRING" in kind:
            start, end = places[token.start], places[token.end]
            code[start:end] = _hidden(text[start:end])
    return re.sub(AFTER_DOT, lambda gap: "." * len(gap[0]), "".join(code))


def _hidden(token: str) -> str:
    pattern = FIELD if re.match("[rR]?[fF]", token) else "()."
    return re.sub(pattern, lambda part: part[1] or '"' * len(part[0]), token)


def _whole_numbers(
    tokens: Sequence[tokenize.TokenInfo],
) -> Iterator[tuple[tokenize.TokenInfo, tokenize.TokenInfo]]:
    """The first and last token of each index of an array, as far as the text tells, and of the size in `.choice(from,
    size)`; not of numbers. A single index may be a dict's, and stays."""
    words = [token.string for token in tokens]
    brackets: list[list[int]] = []  # of each that is open: where it is, and its commas and colons
    for at, word in enumerate(words):
        if word in OPENING:
            brackets.append([at])
        elif word in (",", ":") and brackets:
            brackets[-1].append(at)
        elif word in CLOSING and brackets:
            marks = [*brackets.pop(), at]
            for start, end in _numbers_within(words, marks):
                if not all(part == "-" or part[0].isdigit() for part in words[start:end]):
                    yield tokens[start], tokens[end - 1]


def _numbers_within(words: Sequence[str], marks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """What may be whole numbers in a bracket; marks: where it begins, is divided and ends."""
    before = ["", "", *words[: marks[0]]][-2:]
    parts = [(left + 1, right) for left, right in pairwise(marks) if right > left + 1]
    if words[marks[0]] == "(" and before == [".", "choice"]:
        for index, (start, end) in enumerate(parts):
            if words[start : start + 2] == ["size", "="]:
                yield start + 2, end
            elif index == 1 and words[start + 1] != "=":
                yield start, end
    elif words[marks[0]] == "[" and len(marks) > 2 and _is_indexed(*before):
        if {"lambda", ":="} & set(words[marks[0] : marks[-1]]):  # whose colons are no slice's
            return
        yield from ((start, end) for start, end in parts if words[start] != "*")


def _is_indexed(keyword_or_not: str, last: str) -> bool:
    """Whether a bracket after these two words is of an index: not a list, a pattern, or the params of a type."""
    if last in (")", "]", "}"):
        return True
    is_name = last.isidentifier() and not iskeyword(last) and last not in ("case", "match")
    return is_name and keyword_or_not not in ("def", "class", "type")


def _is_sibling(name: str, folder: str) -> bool:
    """Whether a module is one of the folder, where Python 2 found it without its package, and of no other."""
    return os.path.exists(f"{folder}/{name}.py") and name not in sys.modules and not find_spec(name)


def _patterns(code: str, own: set[str], siblings: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """A pattern with a group that is replaced, by what, and what the user is told."""
    for name in BUILTINS.keys() - own:  # which are there: see module_globals
        yield rf"{NAME}({name}){READ}", name, f"{name} as {BUILTINS[name].__name__}"
    for name in METHODS.keys() - own:
        new = METHODS[name]
        yield rf"\.({name} *\( *\))", f"{new}().__iter__()", f".{name}() as .{new}()"
    if "has_key" not in own:
        yield rf"\.(has_key){ONE_ARGUMENT}", "__contains__", ".has_key() as in"
    for alias in _aliases(code, "numpy"):
        for name in NUMPY.keys() - vars(numpy).keys():
            new = NUMPY[name].format(alias)
            yield rf"{NAME}({alias}\.{name}){READ}", new, f"{alias}.{name} as {new}"
    for alias in _aliases(code, "yaml"):
        yield rf"{NAME}({alias}\.load){ONE_ARGUMENT}", "__yaml_load__", "yaml.load() with a safe Loader"
    yield r"[!=]= *(\[ *\])", "__no_items__", ""
    for alias in _aliases(code, "pickle") | _aliases(code, "cPickle"):
        yield rf"{NAME}({alias}\.dump) *\(", "__dump__", ""
        yield rf"{NAME}({alias}\.load) *\(", "__load__", ""
    yield rf"{IMPORT}(PIL)\b(?! *\.| +(?:as|import)\b)", "PIL.Image", ""  # which others imported in its day
    for name, new in (siblings | MODULES).items():
        said = f"module {name} as {new if name in MODULES else f'.{name}'}"
        yield rf"{IMPORT}({name})(?= +(?:as|import)\b)", new, said
        yield rf"{IMPORT}({name})\b(?! *\.| +(?:as|import)\b)", f"{new} as {name}", said


def _aliases(code: str, module: str) -> set[str]:
    """The names that `import` gives a module."""
    found = re.findall(rf"{IMPORT}{module}\b(?! *\.| +import\b)(?: +as +(\w+))?", code)
    return {alias or module for alias in found}


# ---- importing ------------------------------------------------------------------------------------------------


@contextmanager
def understood() -> Iterator[None]:
    """While this lasts, modules of the user's own that are imported may use old names."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in ("caffe", "caffe_compat"):
            return None
        if path is None and fullname in CHECKOUTS_OWN:
            path = [folder for folder in sys.path if os.path.realpath(folder) != CHECKOUT]
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or _is_installed(spec.loader.path):
            return stand_ins.find(fullname, spec)
        spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        vars(module).update(module_globals())
        return module

    def get_code(self, fullname: str) -> types.CodeType:  # no .pyc: others who import this want it as it is
        package = fullname if self.is_package(fullname) else fullname.rpartition(".")[0]
        return compile_file(self.path, package)


def _is_installed(path: str) -> bool:
    return os.path.abspath(path).startswith(INSTALLED)
