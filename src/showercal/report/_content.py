"""What a report is made of. The caller fills it; nothing here computes a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, nearest
from showercal.evaluation import WidthArrays
from showercal.events import Events

FloatArray = NDArray[np.float64]
ROW_KEYS: Final = ("method", "metric", "bin", "bin_low", "bin_high", "value", "error")


@dataclass(frozen=True)
class MethodSummary:
    """One method as the report names it.

    Args:
        label: Its name for readers, e.g. "Straight line".
        n_parameters: Number of fitted parameters, or None where it has no meaning.
        has_width: Whether it predicts a width beside the energy.
        history: One mapping per epoch with ``epoch``, ``train_loss``, ``validation_loss`` and, where known,
            ``dependence``, ``learning_rate`` and ``seconds``; empty for methods without epochs.
        best_epoch: Epoch whose weights were kept.
        stopped_epoch: Last epoch, when training stopped before the planned number.
    """

    label: str
    n_parameters: int | None = None
    has_width: bool = False
    history: Sequence[Mapping[str, float]] = ()
    best_epoch: int | None = None
    stopped_epoch: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportContent:
    """Everything `write_report` shows.

    Args:
        title: Headline of the page.
        description: One paragraph below it.
        rows: Tidy results: mappings with the keys ``method, metric, bin, bin_low, bin_high, value, error``; ``bin`` is
            None for a value over all events; energies in GeV. Metric names as in `showercal.evaluation.METRICS`;
            others are listed by name.
        methods: The methods by the name used in ``rows``, in the order of the tables and legends.
        reference: Name of the method that ratios refer to.
        energy_true: True energy of the test events, shape (B,), [GeV].
        energy_pred: By method, predicted energies before and after the bias correction, each shape (B,), [GeV].
        widths: By method with a width, its predicted distributions after all corrections, for the same events.
        displays: A few events with geometry for the event display, or None.
        published: By method, the published sigma/sqrt(E), [sqrt(GeV)].
        published_note: What to keep in mind when comparing with ``published``.
        facts: Further (label, value) pairs for the summary.
        bias_floor: Bins that start below this energy do not count for the largest bias, [GeV]: a relative bias has
            no limit where the energy goes to zero.
        configuration: The resolved recipe.
        versions: Package to version.
        provenance: Where the events came from.
        command: The command that made the run.
        timings: Stage to seconds.
        transfer: What a pretraining was worth: mappings with the keys of `showercal.evaluation.TransferRow`; empty
            without one.
        pretrained_on: The events of the pretraining, for readers.

    Raises:
        DataError: If names, shapes or rows do not fit together.
    """

    title: str
    rows: Sequence[Mapping[str, Any]]
    methods: Mapping[str, MethodSummary]
    reference: str
    energy_true: FloatArray
    energy_pred: Mapping[str, tuple[FloatArray, FloatArray]]
    description: str = ""
    widths: Mapping[str, WidthArrays] = field(default_factory=dict)
    displays: Events | None = None
    published: Mapping[str, float] = field(default_factory=dict)
    published_note: str = ""
    facts: Sequence[tuple[str, str]] = ()
    bias_floor: float = 0.5
    configuration: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    transfer: Sequence[Mapping[str, Any]] = ()
    pretrained_on: str = ""

    def __post_init__(self) -> None:
        if not self.methods:
            raise DataError("a report needs at least one method; got none")
        self._check_method(self.reference, "the reference")
        for name in self.published:
            self._check_method(name, "published")
        for number, row in enumerate(self.rows):
            for key in ROW_KEYS:
                if key not in row:
                    raise DataError(f"row {number} of the results has no {key!r}; {nearest(key, row)}")
            self._check_method(row["method"], f"row {number} of the results")
        for number, row in enumerate(self.transfer):
            self._check_method(row["method"], f"row {number} of the transfer")
        for name, arrays in self.energy_pred.items():
            self._check_method(name, "energy_pred")
            for array in arrays:
                if np.shape(array) != np.shape(self.energy_true):
                    raise DataError(
                        f"energy_pred[{name!r}] has shape {np.shape(array)}; energy_true has "
                        f"{np.shape(self.energy_true)}: give both for the same events"
                    )

        for name, width in self.widths.items():
            self._check_method(name, "widths")
            if width.pit.shape != np.shape(self.energy_true):
                raise DataError(
                    f"widths[{name!r}] are of shape {width.pit.shape}; energy_true has {np.shape(self.energy_true)}: "
                    "give both for the same events"
                )

    def _check_method(self, name: str, where: str) -> None:
        if name not in self.methods:
            raise DataError(f"{where} names method {name!r}, which is not in methods; {nearest(name, self.methods)}")

    def label(self, method: str) -> str:
        """The name of a method for readers."""
        return self.methods[method].label
