from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from showercal.detectors import detector
from showercal.errors import RecipeError, SimulationError
from showercal.simulation import Geant4Options, ParticleGun, ShowerTask, find_geant4_data, parse_spectrum
from showercal.simulation._geant4_backend import Geant4Backend
from showercal.simulation._messages import Message, receive, send

TABLES = ("G4EMLOW8.8", "G4ENSDFSTATE3.0", "G4PARTICLEXS4.2", "G4SAIDDATA2.0", "PhotonEvaporation6.1.2")


def make_tables(folder: Path, names: tuple[str, ...] = TABLES) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_the_variable_names_the_folder(tmp_path: Path) -> None:
    make_tables(tmp_path / "tables")
    assert find_geant4_data({"GEANT4_DATA_DIR": str(tmp_path / "tables")}) == tmp_path / "tables"


def test_own_downloads_of_the_binding_are_found(tmp_path: Path) -> None:
    make_tables(tmp_path / ".geant4_pybind")
    assert find_geant4_data({}, home=tmp_path) == tmp_path / ".geant4_pybind"


def test_messages_say_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"GEANT4_DATA_DIR is not set and .* set GEANT4_DATA_DIR to the folder"):
        find_geant4_data({}, home=tmp_path)
    with pytest.raises(SimulationError, match=r"GEANT4_DATA_DIR=/nowhere is not a folder.*import geant4_pybind"):
        find_geant4_data({"GEANT4_DATA_DIR": "/nowhere"})
    make_tables(tmp_path, ("G4EMLOW8.5", *TABLES[1:]))
    with pytest.raises(SimulationError, match=r"needs the data tables G4EMLOW8.8: .*it holds G4EMLOW8.5"):
        find_geant4_data({"GEANT4_DATA_DIR": str(tmp_path)})


def test_the_worker_checks_before_it_imports_geant4() -> None:
    """With CI=true the bare import would start a download; here the worker must answer at once, with the reason."""
    environment = {**os.environ, "GEANT4_DATA_DIR": "/nowhere", "CI": "true"}
    process = subprocess.Popen(
        [sys.executable, "-m", "showercal.simulation._geant4_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    setup = {"calorimeter": detector("toy-sandwich").to_dict(), "options": {}}
    assert process.stdin is not None and process.stdout is not None
    send(process.stdin, Message("setup", setup))
    answer = receive(process.stdout)
    process.communicate(timeout=30)
    assert answer is not None
    assert answer.kind == "fault"
    assert "GEANT4_DATA_DIR=/nowhere is not a folder" in answer.fields["text"]


def test_defaults_depend_on_particle_and_calorimeter() -> None:
    electrons = ParticleGun("e-", parse_spectrum("1"))
    pions = ParticleGun("pi-", parse_spectrum("1"))
    in_sandwich = Geant4Backend().settings(ShowerTask(detector("toy-sandwich"), pions, 1))
    assert (in_sandwich["physics_list"], in_sandwich["count_tracks"]) == ("FTFP_BERT", True)
    in_block = Geant4Backend().settings(ShowerTask(detector("pbwo4-block"), electrons, 1))
    assert (in_block["physics_list"], in_block["count_tracks"]) == ("EM", False)
    asked = Geant4Backend(Geant4Options(physics_list="QBBC", count_tracks=True))
    settings = asked.settings(ShowerTask(detector("pbwo4-block"), electrons, 1))
    assert (settings["physics_list"], settings["count_tracks"]) == ("QBBC", True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cut": 0.0}, "production cut must be > 0 mm; got 0"),
        ({"birks": -1.0}, "Birks' constant must be >= 0 mm/MeV; got -1"),
        ({"time_cut": 0.0}, "time cut must be > 0 ns; got 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        Geant4Options(**options)
