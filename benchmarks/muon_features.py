"""Muons per second and core whose 28 high-level features are made from events in memory.

    python benchmarks/muon_features.py [FILE]

By default of the Geant4 sample ../shared/data/g4_pwo_muons.parquet.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from showercal.features import muon_features
from showercal.readers import open_mapped

_SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "data" / "g4_pwo_muons.parquet"
_REPEATS = 5


def main() -> None:
    """Print muons per CPU time of all threads, compilation apart."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else _SAMPLE
    events = open_mapped(path, "g4_pwo_muons").read()
    begin = time.process_time()
    muon_features(events[:1])
    start_up = time.process_time() - begin
    rates = []
    for _ in range(_REPEATS):
        begin = time.process_time()
        muon_features(events)
        rates.append(len(events) / (time.process_time() - begin))
    cells, rate = int(events.cell_offsets[-1]) / len(events), sorted(rates)[_REPEATS // 2]
    sys.stdout.write(
        f"{len(events)} muons of {cells:,.0f} cells: median {rate:,.0f} (best {max(rates):,.0f}) muons/s on one core; "
        f"start-up {start_up:.1f} s of CPU\n"
    )


if __name__ == "__main__":
    main()
