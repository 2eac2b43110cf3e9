"""The folders of the package import only from folders above them: read from the sources, lazy imports too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import showercal

PACKAGE = Path(showercal.__file__).parent
LEAVES = ("defaults", "errors", "units", "progress", "events", "storage", "prediction", "estimator")
FOLDERS = (
    "detectors",
    "simulation",
    "readers",
    "clustering",
    "features",
    "models",
    "losses",
    "training",
    "calibration",
    "evaluation",
    "report",
    "export",
    "studies",
    "cli",
)
ORDER = (*LEAVES, *FOLDERS)
# Events.save and Events.load are the one convenience that looks upwards, and only when called.
ALLOWED = {("events", "storage", "save"), ("events", "storage", "load")}


class Import(NamedTuple):
    """One import of a module of ours."""

    importer: str
    imported: str  # without the name of the package; "" for the package itself
    line: int
    function: str | None

    @property
    def home(self) -> str:
        return self.importer.partition(".")[0]

    @property
    def target(self) -> str:
        return self.imported.partition(".")[0]

    @property
    def is_upward(self) -> bool:
        if self.target in {"", self.home} or (self.home, self.target, self.function) in ALLOWED:
            return False
        return ORDER.index(self.target) > ORDER.index(self.home)

    @property
    def is_private_to_others(self) -> bool:
        return self.target != self.home and any(part.startswith("_") for part in self.imported.split("."))


def imports(source: str, importer: str) -> Iterator[Import]:
    """Everything of ours that a source imports, wherever it stands."""

    def visit(node: ast.AST, function: str | None) -> Iterator[Import]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}, line {node.lineno}: write imports with the name of the package"
            module = str(node.module)
            # `from showercal import events` names a module, `from showercal.events import Events` does not
            names = [f"showercal.{a.name}" for a in node.names] if module == "showercal" else [module]
        for name in names:
            if name.split(".")[0] == "showercal":
                inner = name.removeprefix("showercal").removeprefix(".")
                yield Import(importer, "" if inner.startswith("__") else inner, node.lineno, function)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function)

    yield from visit(ast.parse(source), None)


def modules() -> dict[str, Path]:
    """Dotted name without the package's -> file, for all but the package's own door, which names everything."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            found[name] = path
    return found


ALL = {name: list(imports(path.read_text(encoding="utf-8"), name)) for name, path in modules().items()}


def test_every_module_has_its_place() -> None:
    assert {name.partition(".")[0] for name in ALL} <= set(ORDER)
    assert len(ALL) > 80


@pytest.mark.parametrize("module", ALL)
def test_no_module_imports_from_below(module: str) -> None:
    upward = [f"line {one.line}: showercal.{one.imported}" for one in ALL[module] if one.is_upward]
    assert not upward, f"showercal.{module} imports from folders below its own: {upward}"


@pytest.mark.parametrize("module", ALL)
def test_private_modules_stay_in_their_folder(module: str) -> None:
    private = [f"line {one.line}: showercal.{one.imported}" for one in ALL[module] if one.is_private_to_others]
    assert not private, f"showercal.{module} imports private modules of other folders: {private}"


def test_leaves_import_no_folder() -> None:
    for leaf in LEAVES:
        assert {one.target for one in ALL[leaf]} <= {"", *LEAVES}, leaf


def test_the_check_sees_what_it_must() -> None:
    source = """
import numpy
from showercal import report
from showercal.events import Events
def later():
    import showercal.studies
if True:
    from showercal.evaluation._rows import Row
"""
    found = list(imports(source, "models._new"))
    assert [one.imported for one in found] == ["report", "events", "studies", "evaluation._rows"]
    assert [one.is_upward for one in found] == [True, False, True, True]
    assert [one.is_private_to_others for one in found] == [False, False, False, True]
    assert found[2].function == "later"
    lazy = "class Events:\n    def save(self):\n        from showercal.storage import EventsWriter\n"
    assert [one.is_upward for one in imports(lazy, "events")] == [False]
    assert [one.is_upward for one in imports(lazy.replace("save", "other"), "events")] == [True]
    assert [one.is_upward for one in imports("from showercal.storage import x", "events")] == [True]
