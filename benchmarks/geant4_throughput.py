"""Events per second and core of the Geant4 backend.

Usage: python benchmarks/geant4_throughput.py [--events N] [CASE ...]; needs GEANT4_DATA_DIR. Figures: geant4.md.

One kernel in this process, its start and first events left out. The same batch of events is shot five times: the
fastest is what a core can do, the mean what it did while sharing the machine and its caches. CPU time is counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from showercal.detectors import detector
from showercal.simulation import (
    Geant4Backend,
    Geant4Options,
    ParticleGun,
    ShowerTask,
    default_half_widths,
    find_geant4_data,
    parse_spectrum,
)

BATCHES = 5

# name -> detector, particle, energy, options, events
CASES = {
    "electrons": ("toy-sandwich", "e-", "0:10", {}, 200),
    "electrons-FTFP_BERT": ("toy-sandwich", "e-", "0:10", {"physics_list": "FTFP_BERT"}, 200),
    "electrons-energy-only": ("toy-sandwich", "e-", "0:10", {"count_tracks": False}, 200),
    "pions": ("toy-sandwich", "pi-", "1:60", {"birks": 0.126, "time_cut": 150.0}, 20),
    "muons": ("pbwo4-block", "mu-", "50:8000", {}, 8),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", choices=CASES, default="electrons")
    parser.add_argument("--events", type=int)
    asked = parser.parse_args()
    name, particle, energy, options, n_events = CASES[asked.case]
    n_events = asked.events or n_events
    os.environ["GEANT4_DATA_DIR"] = str(find_geant4_data(os.environ))
    terminal = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Geant4's own words
    from showercal.simulation._geant4_session import Geant4Session

    calorimeter = detector(name)
    gun = ParticleGun(particle, parse_spectrum(energy), *default_half_widths(calorimeter))
    backend = Geant4Backend(Geant4Options(**options))
    session = Geant4Session(calorimeter, Geant4Options(**backend.settings(ShowerTask(calorimeter, gun, 1))))
    session.shoot(gun.primaries(2, 0, 5), lambda: None)  # physics tables are built by the first events
    primaries = gun.primaries(1, 0, n_events)
    seconds = []
    for _ in range(BATCHES):
        start = time.process_time()
        session.shoot(primaries, lambda: None)
        seconds.append(time.process_time() - start)
    print(
        f"{asked.case}: {BATCHES} x {n_events} x {particle} of {energy} GeV in {name}: events/s per core "
        f"{n_events / min(seconds):.1f} at best, {BATCHES * n_events / sum(seconds):.1f} on average "
        f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
        file=terminal,
        flush=True,
    )
    sys.stderr.flush()
    os._exit(0)  # leaving through Python's exit crashes Geant4


if __name__ == "__main__":
    main()
