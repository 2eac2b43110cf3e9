"""A study that takes a second: 1,500 showers drawn from a known profile, and three methods without epochs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from showercal import Events, detector
from showercal.report import ReportContent, results_markdown
from showercal.simulation import SEEN, Backend, BackendKind, Chunk, Showers, ShowerTask
from showercal.studies import Recipe, run_study
from showercal.studies._recipe import parse_recipe

N_EVENTS = 1_500


def showers(n_events: int = N_EVENTS, seed: int = 1, tracks_per_gev: float = 30.0) -> Events:
    """Flat spectrum of 0.2-10 GeV; tracks in the middle cells follow Poisson's law about a profile in depth.

    ``impact_x`` is the number of the event.
    """
    rng = np.random.default_rng(seed)
    calorimeter = detector("toy-sandwich")
    energy = rng.permutation(np.linspace(0.2, 10, n_events))
    layer = np.arange(17)
    profile = layer**2 * np.exp(-layer / 1.7)
    tracks = rng.poisson(tracks_per_gev * energy[:, None] * profile / profile.sum())
    lit = tracks > 0
    number = np.broadcast_to(calorimeter.cell_number(layer, np.full(17, 3), np.full(17, 4)), tracks.shape)
    counts = lit.sum(axis=1)
    cells = {
        "id": ak.unflatten(number[lit].astype(np.int32), counts),
        "energy": ak.unflatten((5e-4 * tracks[lit]).astype(np.float32), counts),
        "tracks": ak.unflatten(tracks[lit].astype(np.int32), counts),
    }
    array = ak.zip(
        {"energy_true": energy, "impact_x": np.arange(n_events, dtype=np.float64), "cells": ak.zip(cells)},
        depth_limit=1,
    )
    units = {"energy_true": "GeV", "impact_x": "mm", "cells.id": "1", "cells.energy": "GeV", "cells.tracks": "1"}
    return Events(array, units, calorimeter.to_dict(), {"seed": seed})


def network(**changes: Any) -> dict[str, Any]:
    """A method of a recipe: a small network that is trained in no time."""
    method = {
        "kind": "network",
        "network": {"name": "fcn", "widths": [8]},
        "features": {"sums": {"kind": "layer_sums", "values": ["cells.tracks"]}},
        "training": {"epochs": 2, "batch_size": 50},
    }
    return {"label": "Network", "method": method | changes}


def study(events: Path | str, **changes: Any) -> dict[str, Any]:
    """The recipe as data; top-level keys can be changed."""
    content: dict[str, Any] = {
        "name": "tiny",
        "title": "A tiny study",
        # half for validation: the strict correction wants 20 bins of 20 events
        "data": {"events": str(events), "split": {"train": 0.4, "validation": 0.5, "test": 0.1}},
        "reference": "line",
        "methods": {
            "line": {"label": "Line", "published": 0.3, "method": {"kind": "straight_line", "values": "cells.tracks"}},
            "layers": {"label": "Layers", "method": {"kind": "layer_line", "values": ["cells.tracks"]}},
            "trees": {
                "label": "Trees",
                "method": {
                    "kind": "trees",
                    "features": {"sums": {"kind": "layer_sums", "values": ["cells.tracks"]}},
                    "n_trees": 40,
                    "min_events_per_leaf": 20,
                },
            },
        },
        "calibration": {"n_bins": 8},
        "evaluation": {"low": 0, "high": 10, "n_bins": 4, "n_bootstrap": 20, "display_energies": [2, 8]},
    }
    return content | changes


@pytest.fixture(scope="session")
def events_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events") / "showers"
    showers().save(folder)
    return folder


@pytest.fixture(scope="session")
def finished(events_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its whole report; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    run_study(parse_recipe(study(events_folder), where="tiny"), folder, command="showercal run tiny")
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "tiny"))


@pytest.fixture
def make_recipe(events_folder: Path) -> Callable[..., Recipe]:
    return lambda **changes: parse_recipe(study(events_folder, **changes), where="tiny")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures: drawing takes longer than the whole study."""
    monkeypatch.setattr("showercal.studies._run.write_report", write_without_figures)


def write_without_figures(content: ReportContent, folder: Path) -> Path:
    """Instead of the whole report."""
    (folder / "results.md").write_text(results_markdown(content), encoding="utf-8")
    (folder / "report.html").write_text(f"{content.title} {content.description}", encoding="utf-8")
    return folder / "report.html"


class Quick(Backend):
    """Showers of `showers` with 33 tracks per GeV, one event after the other from its own seed."""

    name = "quick"
    versions: Mapping[str, str] = {"quick": "1"}
    n_made = 0

    def __init__(self, **options: Any) -> None:
        self.options = options

    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        return self.options

    def check(self) -> None:
        return None

    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        layer = np.arange(17)
        profile = layer**2 * np.exp(-layer / 1.7)
        cells = task.calorimeter.cell_number(layer, np.full(17, 3), np.full(17, 4))
        for chunk in chunks:
            primaries = task.primaries(chunk)
            tracks = np.stack(
                [
                    np.random.default_rng(int(seed)).poisson(33 * energy * profile / profile.sum())
                    for energy, seed in zip(primaries.energy, primaries.seed, strict=True)
                ]
            )
            event, at = np.nonzero(tracks)
            Quick.n_made += chunk.n_events
            on_events(chunk.n_events)
            yield chunk, Showers(event, cells[at], 5e-4 * tracks[event, at], tracks[event, at])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only simulator there is."""
    monkeypatch.setattr("showercal.simulation._backends.BACKENDS", {"quick": BackendKind(Quick, SEEN)})
    monkeypatch.setattr(Quick, "n_made", 0)
