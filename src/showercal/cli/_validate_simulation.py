"""``showercal validate-simulation``: simulated showers judged by a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate_simulation(
    detector: Annotated[str, typer.Argument(help="Name of a detector, or a .json file of a geometry.")],
    particle: Annotated[str, typer.Argument(help="e-, e+, gamma, mu-, mu+, pi-, pi+, proton, ...")],
    reference: Annotated[Path, typer.Option(help="Events of Geant4: a folder or a file.")],
    sample: Annotated[Path, typer.Option(help="Events to judge: a folder or a file.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first events of each.")] = None,
    seed: Annotated[int, typer.Option(help="Of the classifier.")] = 1,
) -> None:
    """Compare simulated showers with a reference: how well boosted trees tell them apart, and by what."""
    from showercal.detectors import detector as find_detector
    from showercal.evaluation import two_sample_auc
    from showercal.studies.validation import observe, open_sample

    calorimeter = find_detector(detector)
    judged, truth = (observe(open_sample(path, calorimeter, particle), limit) for path in (sample, reference))
    test = two_sample_auc(truth.shapes.values, judged.shapes.values, seed, names=truth.shapes.names)
    typer.echo(
        f"two_sample_auc {test.auc:.4f} ± {test.error:.4f} ({test.n_events[1]:,} events, "
        f"{test.n_events[0]:,} of the reference)"
    )
    for name, share in list(test.importance.items())[:12]:
        typer.echo(f"  {name:24s} importance {share:6.1%}   alone {test.single_auc[name]:.3f}")
