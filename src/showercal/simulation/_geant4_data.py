"""Geant4's data tables: found and checked before Geant4 is imported, which would ask on stdin or abort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from showercal.errors import SimulationError

GEANT4_VERSIONS: Final = {"0.1.3": "11.4.1"}  # geant4-pybind -> the Geant4 inside

# What FTFP_BERT and its relatives read; names with the versions that Geant4 11.4.1 asks for.
_NEEDED: Final = ("G4EMLOW8.8", "G4ENSDFSTATE3.0", "G4PARTICLEXS4.2", "G4SAIDDATA2.0", "PhotonEvaporation6.1.2")
_VARIABLE: Final = "GEANT4_DATA_DIR"
_HOW: Final = (
    f"set {_VARIABLE} to the folder that holds the tables ({', '.join(_NEEDED)}, ...), or let geant4-pybind fetch them "
    'once: python -c "import geant4_pybind", answer Y (about 2 GB into ~/.geant4_pybind, which is then found by itself)'
)


def find_geant4_data(environment: Mapping[str, str], home: Path | None = None) -> Path:
    """The folder of Geant4's data tables.

    Args:
        environment: Environment variables; ``GEANT4_DATA_DIR`` names the folder.
        home: Where geant4-pybind's own downloads are looked for otherwise, in ``.geant4_pybind``; by default the
            user's home.

    Raises:
        SimulationError: If there is no such folder or a table is missing in it.
    """
    given = environment.get(_VARIABLE)
    if given:
        folder, origin = Path(given), f"{_VARIABLE}={given}"
    else:
        folder = (Path.home() if home is None else home) / ".geant4_pybind"
        origin = f"{_VARIABLE} is not set and {folder}"
    if not folder.is_dir():
        raise SimulationError(f"Geant4 needs its data tables: {origin} is not a folder; {_HOW}")
    missing = [name for name in _NEEDED if not (folder / name).is_dir()]
    if missing:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:15]) or "nothing"
        raise SimulationError(
            f"Geant4 needs the data tables {', '.join(missing)}: {origin} does not hold them (it holds {there}); {_HOW}"
        )
    return folder
