"""What a method wants to see, as data: options of each kind of input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from showercal.features._muon_features import MUON_THRESHOLDS, check_muon_options
from showercal.features._track_profiles import TRACK_RINGS, TRACK_THRESHOLDS, check_profile_options


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Voxels(_Input):
    """Sparse cells, made a dense grid (B, F, L, X, Y) in the batch.

    Args:
        values: Fields of the cells, one channel each, e.g. ``cells.tracks``.
        unit: What they are divided by; 1 leaves them as they are, None is the standard deviation of each in lit cells.
    """

    kind: Literal["voxels"] = "voxels"
    values: tuple[str, ...] = Field(min_length=1)
    unit: float | None = Field(default=None, gt=0)


class Points(_Input):
    """Lit cells as a set of points with their position, those of all events end to end: (H, F + 3).

    Args:
        values: Fields of the cells; x, y, z of the cell are appended.
    """

    kind: Literal["points"] = "points"
    values: tuple[str, ...] = Field(min_length=1)


class Neighbourhoods(_Input):
    """Lit cells with what lies around them, those of all events end to end: (H, 3 F + 8) (see `neighbourhoods`).

    Args:
        values: Fields of the cells; of the first one, which also weighs the centre of the shower, the neighbours count.
    """

    kind: Literal["neighbourhoods"] = "neighbourhoods"
    values: tuple[str, ...] = Field(min_length=1)


class LayerSums(_Input):
    """Sum over the cells of each layer: a table (B, F * (L + 1)), for each field the layers and then their total.

    Args:
        values: Fields of the cells.
    """

    kind: Literal["layer_sums"] = "layer_sums"
    values: tuple[str, ...] = Field(min_length=1)


class LinearEnergy(_Input):
    """Energy by the best linear unbiased estimate from the layer sums, and its expected error: (B, 2), [GeV].

    Args:
        values: Fields of the cells.
    """

    kind: Literal["linear_energy"] = "linear_energy"
    values: tuple[str, ...] = Field(min_length=1)


class MuonFeatures(_Input):
    """High-level features of muons in a box: energies, moments, clusters, bending: (B, F) (see `muon_features`).

    Args:
        names: Those wanted; by default all 28.
        energy: Field of the energies of cells.
        impact: Fields of x and y where the muon enters.
        thresholds: Up to the first a cell is low, above the second it is high, [GeV].
    """

    kind: Literal["muon_features"] = "muon_features"
    names: tuple[str, ...] | None = Field(default=None, min_length=1)
    energy: str = "cells.energy"
    impact: tuple[str, str] = ("impact_x", "impact_y")
    thresholds: tuple[float, float] = MUON_THRESHOLDS

    @property
    def values(self) -> tuple[str, ...]:
        """Fields that they are made from."""
        return (self.energy, *self.impact)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_muon_options(self.names or (), self.thresholds)
        return self


class TrackProfiles(_Input):
    """What lies around a straight track in each layer: energies by distance, numbers of cells, moments: (B, L, C).

    Args:
        energy: Field of the energies of cells.
        impact: Fields of x and y where the particle enters; None to find the track from the cells.
        rings: Distances from the track that part the rings, [mm].
        thresholds: Energies above which cells are counted, [GeV].
    """

    kind: Literal["track_profiles"] = "track_profiles"
    energy: str = "cells.energy"
    impact: tuple[str, str] | None = ("impact_x", "impact_y")
    rings: tuple[float, ...] = TRACK_RINGS
    thresholds: tuple[float, ...] = TRACK_THRESHOLDS

    @property
    def values(self) -> tuple[str, ...]:
        """Fields that they are made from."""
        return (self.energy, *(self.impact or ()))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_profile_options(self.rings, self.thresholds)
        return self


class Table(_Input):
    """Scalars of the event (moments, global features): (B, F).

    Args:
        values: Scalar fields.
    """

    kind: Literal["table"] = "table"
    values: tuple[str, ...] = Field(min_length=1)


class Images(_Input):
    """One field of a fixed shape, e.g. the image of a layer: (B, ...).

    Args:
        values: The field, exactly one.
    """

    kind: Literal["images"] = "images"
    values: tuple[str] = Field()


InputConfig = Annotated[
    Voxels | Points | Neighbourhoods | LayerSums | LinearEnergy | MuonFeatures | TrackProfiles | Table | Images,
    Field(discriminator="kind"),
]
FeatureConfig = dict[str, InputConfig]


def uses_cells(inputs: Iterable[InputConfig]) -> bool:
    """Whether any input is made from cells, so that their places count."""
    return any(not isinstance(spec, Table | Images) for spec in inputs)
