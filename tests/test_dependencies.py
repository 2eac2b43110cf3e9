"""Every library that the package imports is declared: a plain install must work."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# what a library is called when imported, where that differs from its distribution
DISTRIBUTION = {"yaml": "pyyaml", "geant4_pybind": "geant4-pybind"}


def imported() -> set[str]:
    found = set()
    for path in (ROOT / "src" / "showercal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"showercal"}


def test_every_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=\[ ]", line)[0] for line in project["dependencies"]}
    extras = {re.split(r"[<>=\[ ]", line)[0] for lines in project["optional-dependencies"].values() for line in lines}
    needed = {DISTRIBUTION.get(name, name) for name in imported()}
    assert needed - declared == {"geant4-pybind"}, "declare them in pyproject.toml"
    assert "geant4-pybind" in extras
    # torch imports onnxscript when it writes a graph
    assert declared - needed == {"onnxscript"}, "declared but not imported"
