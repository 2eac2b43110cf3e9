"""Events per second of the fast simulator on one core: compiled showers alone, without start-up and writing.

    python benchmarks/fast_throughput.py [DETECTOR PARTICLE ENERGY EVENTS]...

By default the cases of docs/fast_simulation.md.
"""

from __future__ import annotations

import sys
import time
import warnings

from showercal.detectors import detector
from showercal.simulation import FastOptions, ParticleGun, ShowerTask, default_half_widths, parse_spectrum
from showercal.simulation._backend import Chunk
from showercal.simulation.fast._backend import FastShooter, _pieces

CASES = (
    ("toy-sandwich", "e-", "0.5:10", 20_000),
    ("toy-sandwich", "gamma", "0.5:10", 20_000),
    ("toy-sandwich", "pi-", "2:60", 2_000),
    ("pbwo4-block", "mu-", "50:8000", 300),
)


def main() -> None:
    """Print a line per case: CPU time of one thread, after a warm-up that compiles and makes the library."""
    given = sys.argv[1:]
    cases = [tuple(given[k : k + 4]) for k in range(0, len(given), 4)] or CASES
    warnings.simplefilter("ignore")
    for name, particle, energy, n_events in cases:
        calorimeter = detector(name)
        options = FastOptions(birks=0.126, time_cut=150.0) if particle == "pi-" else FastOptions()
        gun = ParticleGun(particle, parse_spectrum(energy), *default_half_widths(calorimeter))
        task = ShowerTask(calorimeter, gun, 1)
        begin = time.process_time()
        shooter = FastShooter(task, options)
        shooter(*_pieces(task.entering(Chunk(0, 0, 10)))[0])
        start_up, begin = time.process_time() - begin, time.process_time()
        for piece in _pieces(task.entering(Chunk(0, 10, int(n_events)))):
            shooter(*piece)
        rate = int(n_events) / (time.process_time() - begin)
        sys.stdout.write(
            f"{name} {particle} {energy} GeV: {rate:,.0f} events/s on one core; start-up {start_up:.1f} s of CPU\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
