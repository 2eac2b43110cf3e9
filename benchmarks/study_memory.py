"""Memory of a study of muons: what each muon takes in memory while it learns, and so how many fit.

Reads folders of events again and again until there are enough muons, as a study does, splits them 80/10/10 and makes
the inputs of training and validation; each case in fresh processes with two numbers of muons, so that it shows whether
anything but the inputs grows.

    python benchmarks/study_memory.py FOLDER [FOLDER ...] --muons 10_000 40_000

Counted is anonymous memory: pages of mapped files go back to the system when it needs them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from showercal.features import FeatureExtractor, MuonFeatures, Voxels
from showercal.storage import open_events, part_files
from showercal.studies import DataConfig, SplitConfig, read_events
from showercal.studies._data import split

PUBLISHED = 886_716  # muons
ROOM = 20 * 2**30  # of 24 GiB, [bytes]
INPUTS: dict[str, dict[str, Any]] = {
    "28 features": {"muon": MuonFeatures()},
    "voxels": {"grid": Voxels(values=("cells.energy",))},
}
CASES = (("28 features", 0.0), *(("voxels", cut) for cut in (0.0, 1e-4, 5e-4, 1e-3, 5e-3)))
COLUMNS = (
    *("inputs", "cells above [GeV]", "cells a muon", "energy kept", "inputs [bytes a muon]"),
    *("peak beside them, few and many [MB]", "muons in 20 GiB", f"{PUBLISHED:,} muons [GiB]"),
    "reading, inputs [muons/s]",
)


def anonymous() -> int:
    """Memory of this process that is not of files, [bytes]."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


class Peak:
    """Highest anonymous memory since it was made, sampled every 2 ms, above what there was."""

    def __init__(self) -> None:
        self._start = self._highest = anonymous()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def bytes(self) -> int:
        return self._highest - self._start

    def _watch(self) -> None:
        while True:
            self._highest = max(self._highest, anonymous())
            time.sleep(0.002)


def repeated(folders: list[Path], n_muons: int, where: Path) -> Path:
    """A folder of links to the parts of all folders, again and again, with so many muons at least."""
    parts = [part for folder in folders for part in part_files(folder)]
    there = number = 0
    while there < n_muons:
        part = parts[number % len(parts)]
        (where / f"part-{number:05d}.parquet").symlink_to(part.absolute())
        there, number = there + open_events(part).n_events, number + 1
    return where


def measure(folder: str, inputs: str, n_muons: int, cut: float) -> None:
    """Run in a process of its own: print what it took as JSON."""
    data = DataConfig.model_validate({"events": folder, "limit": n_muons, "cells_above": {"energy": cut}})
    peak, begin = Peak(), time.perf_counter()
    events = read_events(data)
    read = time.perf_counter()
    parts = split(events, SplitConfig())
    extractor = FeatureExtractor(INPUTS[inputs])
    columns = [*extractor.fit_transform(parts.train).values(), *extractor.transform(parts.validation).values()]
    told = {
        "cells": int(events.cell_offsets[-1]) / n_muons,
        "energy": 1 - events.provenance["cells_above"]["energy_dropped"],
        "read_s": read - begin,
        "inputs_s": time.perf_counter() - read,
        "peak": peak.bytes,
        "held": sum(array.nbytes for column in columns for array in vars(column).values()),
    }
    print(json.dumps(told))


def main() -> None:
    """Measure in fresh processes, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--muons", type=int, nargs=2, default=[10_000, 40_000])
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        folder, inputs, n_muons, cut = arguments.measure
        measure(folder, inputs, int(n_muons), float(cut))
        return
    few, many = arguments.muons
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = repeated(arguments.folders, many, Path(name))
        for inputs, cut in CASES:
            told = []
            for n_muons in (few, many):
                command = [sys.executable, __file__, "--measure", str(folder), inputs, str(n_muons), str(cut)]
                told.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            last, beside = told[-1], [one["peak"] - one["held"] for one in told]
            each, most = last["held"] / many, max(beside)
            speeds = f"{many / last['read_s']:,.0f}, {many / last['inputs_s']:,.0f}"
            row = [inputs, f"{cut:g}", f"{last['cells']:,.0f}", f"{last['energy']:.1%}", f"{each:,.0f}"]
            row += [", ".join(f"{one / 1e6:.0f}" for one in beside), f"{(ROOM - most) / each:,.0f}"]
            row += [f"{(most + PUBLISHED * each) / 2**30:.1f}", speeds]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
