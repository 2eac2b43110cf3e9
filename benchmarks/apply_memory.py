"""Memory and speed of `showercal apply`: does the peak grow with the number of events?

Writes the packaged Geant4 electrons again and again into one file, applies an exported method to it by the command, and
prints the peak resident memory of the process and its children in the first tenth of the time and in all.

    python benchmarks/apply_memory.py --events 10_000_000 --form parquet --method layers
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import awkward as ak
import numpy as np
import psutil
import pyarrow.parquet as pq
import uproot

from showercal import load_recipe, open_events
from showercal.export import export_method
from showercal.training import NetworkMethodConfig, NetworkRegressor, build_method

SAMPLE = Path(__file__).parents[1] / "src" / "showercal" / "data_samples" / "toy_sandwich_electrons"
MAPPING = """
geometry: toy-sandwich
fields:
  energy_true: {branch: energy_true, unit: GeV}
  cells.id: {branch: cells_id, unit: 1}
  cells.energy: {branch: cells_energy, unit: GeV}
  cells.tracks: {branch: cells_tracks, unit: 1}
"""


def write_parquet(folder: Path, n_events: int) -> list[str]:
    """One event file of showercal."""
    table = pq.read_table(SAMPLE / "part-00000.parquet")
    with pq.ParquetWriter(folder / "in.parquet", table.schema, compression="zstd") as writer:
        for start in range(0, n_events, len(table)):
            writer.write_table(table[: n_events - start])
    return [str(folder / "in.parquet")]


def write_root(folder: Path, n_events: int) -> list[str]:
    """One ROOT file, to be read by a mapping."""
    array = ak.to_packed(open_events(SAMPLE).read().array)
    with uproot.recreate(folder / "in.root", compression=uproot.LZ4(1)) as file:
        for start in range(0, n_events, len(array)):
            block = {name: array[name][: n_events - start] for name in ("energy_true", "cells")}
            file["events"].extend(block) if start else file.mktree("events", block)
    (folder / "mapping.yaml").write_text(MAPPING)
    return [str(folder / "in.root"), "--mapping", str(folder / "mapping.yaml")]


def write_model(path: Path, name: str) -> None:
    """A method of the electron study, exported after a short training: its speed is that of a good one."""
    events = open_events(SAMPLE).read()
    config = load_recipe("electrons").methods[name].method
    if isinstance(config, NetworkMethodConfig):
        config = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 2})})
    method = build_method(config)
    if isinstance(method, NetworkRegressor):
        method.progress = False
    method.fit(events[:10_000], events[10_000:11_000])
    bright = events[11_000:12_000]
    export_method(method, path, bright[bright.energy_true > 1], name=name, energy_range=(0.0, 10.0))


def watch(command: list[str]) -> tuple[float, float, float]:
    """Seconds that a command takes, and its peak resident memory with its children: at a tenth of the time, in all."""
    start = time.perf_counter()
    samples = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        main = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                rss = sum(one.memory_info().rss for one in (main, *main.children(recursive=True)))
                samples.append((time.perf_counter() - start, rss / 1e6))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
    assert process.returncode == 0, command
    seconds = time.perf_counter() - start
    early = max(rss for when, rss in samples if when <= max(seconds / 10, samples[0][0]))
    return seconds, early, max(rss for _, rss in samples)


def check(path: Path, n_events: int) -> None:
    """All events are there, and those of the last copy have the energies of the first."""
    if path.suffix == ".root":
        with uproot.open(path) as file:
            energy = file["events"]["energy_calibrated"].array(library="np")
    else:
        energy = pq.read_table(path, columns=["energy_calibrated"])["energy_calibrated"].to_numpy()
    size = pq.read_metadata(SAMPLE / "part-00000.parquet").num_rows
    last = (n_events - 1) // size * size
    assert len(energy) == n_events
    np.testing.assert_allclose(energy[last:], energy[: n_events - last], rtol=1e-5)


def main() -> None:
    """Write, apply, print a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--form", choices=("parquet", "root"), default="parquet")
    parser.add_argument("--method", default="layers", help="of the electron study")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=250)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model.onnx", arguments.method)
        write = {"parquet": write_parquet, "root": write_root}[arguments.form]
        source = write(folder, arguments.events)
        out = folder / f"out.{arguments.form}"
        program = [sys.executable, "-c", "from showercal.cli import main; main()", "apply"]
        options = ["--threads", str(arguments.threads), "--batch", str(arguments.batch), "--quiet"]
        seconds, early, peak = watch([*program, str(folder / "model.onnx"), *source, "--out", str(out), *options])
        check(out, arguments.events)
        sizes = " -> ".join(f"{Path(one).stat().st_size / 1e6:.0f}" for one in (source[0], out))
        print("| form | method | events | size, in -> out [MB] | events/s | peak at a tenth [MB] | peak [MB] |")
        print("|---|---|---|---|---|---|---|")
        print(
            f"| {arguments.form} | {arguments.method} | {arguments.events:,} | {sizes} | "
            f"{arguments.events / seconds:,.0f} | {early:.0f} | {peak:.0f} |"
        )


if __name__ == "__main__":
    main()
