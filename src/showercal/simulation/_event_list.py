"""Given particles, event by event: from arrays, from a file, or the truth of events that were simulated before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from showercal.errors import DataError, RecipeError, nearest
from showercal.events import OFFSETS, Events
from showercal.simulation._particles import MASSES, PARTICLES, kinds_of_pdg_ids, particle_kind
from showercal.simulation._primaries import Primaries, event_words, offsets_of, single
from showercal.simulation._source import ParticleSource
from showercal.storage import METADATA_KEY, EventSource, open_events

FloatArray = NDArray[np.float64]

_MOMENTUM: Final = ("px", "py", "pz")
_DIRECTION: Final = ("ux", "uy", "uz")
_COLUMNS: Final = ("particle", "pdg_id", "energy", "x", "y", "z", *_DIRECTION, "time", *_MOMENTUM)
_BLOCK: Final = 1000  # events of a stored sample in memory at a time, with their cells
_ARRAYS: Final = ("kind", "energy", "x", "y", "z", *_DIRECTION, "time")


@dataclass(frozen=True, eq=False)
class EventList(ParticleSource):
    """Event k of a sample is event k of the list, whatever the seed; the seed decides the showers alone.

    Make one by `from_arrays`, `read` or `from_events`.

    Args:
        given: The particles of all events; their seeds are not used.
        file: Name of where they come from, for the provenance.
        particle: What they were said to be where the file does not say, for the provenance.
    """

    given: Primaries
    file: str
    particle: str | None = None

    @staticmethod
    def from_arrays(
        columns: Mapping[str, Any], *, particle: str | None = None, file: str = "particles.parquet"
    ) -> EventList:
        """A list from columns.

        Args:
            columns: Ragged arrays or nested lists, one list per event with one entry per particle; an array with one
                number per event, or one number, stands for all particles of the event, or of all. An event may be
                empty. By name:

                - ``pdg_id`` (number of the Particle Data Group) or ``particle`` (name in `PARTICLES`);
                - ``energy``: kinetic energy, [GeV];
                - ``x``, ``y``, ``z``: where the particle starts, [mm], default 0; the front face is z = 0, and the
                  space before it is empty;
                - ``ux``, ``uy``, ``uz``: its direction, a vector of any length; default +z;
                - ``px``, ``py``, ``pz``: its momentum, [GeV], instead of energy and direction;
                - ``time``: when it starts, [ns], default 0.

                If ``energy`` (or ``px``) has one number per event, events have one particle each.
            particle: Name of all particles, where the columns do not tell.
            file: A name for the provenance.

        Raises:
            RecipeError: If a column is missing, unknown or holds what cannot be simulated.
            DataError: If columns do not have the same lists.

        Example:
            >>> pairs = EventList.from_arrays({"energy": [[60.0, 40.0], [45.0]], "x": [[-20, 20], [0]]}, particle="e-")
            >>> pairs.primaries(1, 0, 2).energy_true.tolist()
            [100.0, 45.0]
        """
        for name in columns:
            if name not in _COLUMNS:
                raise RecipeError(f"a list of particles has no column {name!r}; {nearest(name, _COLUMNS)} ({file})")
        flat, counts = _flat(columns, file)
        if not len(counts):
            raise RecipeError(f"the list of particles {file} is empty; expected at least one event")
        n_particles = int(counts.sum())
        place = _Place(file, offsets_of(counts))
        kind = _kinds(flat, n_particles, particle, place)
        energy, direction = _motion(flat, kind, place)
        starts = {name: flat.get(name, np.zeros(n_particles)).astype(np.float64) for name in ("x", "y", "z", "time")}
        for name, values in starts.items():
            unit = "ns" if name == "time" else "mm"
            place.refuse(~np.isfinite(values), f"{name} must be a number of {unit}", values)
        starts = {name: single(values) for name, values in starts.items()}
        place.refuse(
            (starts["z"] <= 0) & (direction[:, 2] <= 0),
            "a particle that starts in front of the detector (z <= 0) must fly towards it, uz > 0",
            direction[:, 2],
        )
        given = Primaries(
            kind=kind,
            energy=energy,
            x=starts["x"],
            y=starts["y"],
            z=starts["z"],
            ux=direction[:, 0],
            uy=direction[:, 1],
            uz=direction[:, 2],
            time=starts["time"],
            offsets=place.offsets,
            seed=np.zeros(len(counts), dtype=np.uint64),
        )
        return EventList(given, file, particle)

    @staticmethod
    def read(path: str | Path, *, particle: str | None = None) -> EventList:
        """A list from a file.

        Parquet: the columns of `from_arrays` as lists (or plain numbers: one particle per event). HDF5: the same names,
        all particles end to end, and ``offsets`` with the place where each event begins, and the end, shape (B + 1,);
        without ``offsets`` one particle per event. A folder or part that showercal wrote: see `from_events`.

        Args:
            path: The file.
            particle: Name of all particles, where the file does not tell.

        Raises:
            RecipeError: If a column is missing, unknown or holds what cannot be simulated.
            DataError: If the file is missing, damaged or of another kind.
        """
        path = Path(path)
        if not path.exists():
            raise DataError(f"no list of particles at {path}: the path does not exist")
        if path.is_dir() or _is_ours(path):
            return EventList.from_events(open_events(path), particle=particle, file=path.name)
        readers = {".parquet": _read_parquet, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
        if path.suffix not in readers:
            raise DataError(f"{path} has no suffix of a list of particles; {nearest(path.suffix, readers)}")
        return EventList.from_arrays(readers[path.suffix](path), particle=particle, file=path.name)

    @staticmethod
    def from_events(events: Events | EventSource, *, particle: str | None = None, file: str = "particles") -> EventList:
        """The primaries of events that were simulated before, for another simulator or seed.

        Taken from ``particles`` where the events have it, else from ``energy_true``, ``impact_x`` and ``impact_y``: one
        particle along +z from the front face.

        Args:
            events: The events, in memory or opened.
            particle: What they are; by default what the provenance says.
            file: A name for the provenance.

        Raises:
            RecipeError: If nothing says what the particles are.
            DataError: If the events carry no truth.
        """
        blocks = [events] if isinstance(events, Events) else events.chunks(_BLOCK)
        columns: dict[str, list[ak.Array]] = {}
        for block in blocks:
            for name, values in _truth(block).items():
                columns.setdefault(name, []).append(values)
        joined = {name: ak.concatenate(values) for name, values in columns.items()}
        told = {} if "pdg_id" in joined else {"particle": particle or _told_particle(events.provenance, file)}
        listed = EventList.from_arrays({**joined, **told}, file=file)
        return replace(listed, particle=particle if told else None)

    @property
    def name(self) -> str:
        return "list"

    @property
    def title(self) -> str:
        return self.particles[0] if len(self.particles) == 1 else "particles"

    @property
    def particles(self) -> tuple[str, ...]:
        return tuple(PARTICLES[kind] for kind in np.unique(self.given.kind))

    @property
    def n_events(self) -> int:
        return len(self.given)

    @property
    def keeps_particles(self) -> bool:
        one = self.given
        alone = bool(np.all(np.diff(one.offsets) == 1)) and len(self.particles) == 1
        return not (alone and bool(np.all(one.uz == 1)) and not (one.z.any() or one.time.any()))

    def primaries(self, seed: int, first_event: int, n_events: int) -> Primaries:
        """The particles of events ``first_event`` to ``first_event + n_events``.

        Raises:
            RecipeError: If the list has not that many events, or seed or event numbers are negative.
        """
        words = event_words(seed, first_event, n_events)
        if first_event + n_events > self.n_events:
            raise RecipeError(
                f"the list of particles {self.file} has {self.n_events} events; asked for event "
                f"{first_event + n_events - 1}, and the first is 0"
            )
        offsets = self.given.offsets[first_event : first_event + n_events + 1]
        part = slice(int(offsets[0]), int(offsets[-1]))
        arrays = {name: getattr(self.given, name)[part] for name in _ARRAYS}
        return Primaries(**arrays, offsets=offsets - offsets[0], seed=words[:, 3])

    def to_dict(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for name in (*_ARRAYS, "offsets"):
            digest.update(np.ascontiguousarray(getattr(self.given, name)).tobytes())
        kinds, counts = np.unique(self.given.kind, return_counts=True)
        return {
            "file": self.file,
            "events": self.n_events,
            "particles": {PARTICLES[kind]: int(count) for kind, count in zip(kinds, counts, strict=True)},
            "sha256": digest.hexdigest(),
        }

    def command_options(self) -> list[str]:
        return ["--particles", self.file] + (["--particle", self.particle] if self.particle else [])


@dataclass(frozen=True)
class _Place:
    """Where a particle is, for messages."""

    file: str
    offsets: NDArray[np.int64]

    def refuse(self, wrong: NDArray[np.bool_], expected: str, got: FloatArray) -> None:
        if np.any(wrong):
            at = int(np.argmax(wrong))
            event = int(np.searchsorted(self.offsets, at, side="right")) - 1
            raise RecipeError(
                f"{expected}; got {got[at]:g} for particle {at - int(self.offsets[event])} of event {event} "
                f"({int(wrong.sum())} of {len(wrong)} particles) in {self.file}"
            )


def _flat(columns: Mapping[str, Any], file: str) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Columns end to end, and how many particles each event has."""
    lead = next((name for name in ("energy", "px") if name in columns), None)
    if lead is None:
        raise RecipeError(
            f"a list of particles needs 'energy' (or 'px', 'py', 'pz'); got {', '.join(columns) or 'no columns'} in "
            f"{file}"
        )
    shape = _column(columns[lead])
    if shape.ndim == 1:
        shape = ak.unflatten(shape, np.ones(len(shape), dtype=np.int64))
    if shape.ndim != 2:
        raise DataError(f"column {lead!r} of {file} must hold one list of numbers per event; its type is {shape.type}")
    if ak.any(ak.is_none(shape)):
        raise DataError(f"column {lead!r} of {file} lacks the list of event {int(ak.argmax(ak.is_none(shape)))}")
    counts = np.asarray(ak.num(shape, axis=1), dtype=np.int64)
    flat: dict[str, Any] = {}
    for name, given in columns.items():
        values = given if np.isscalar(given) else _column(given)
        if name == "particle":
            values = _codes(values)
        try:
            values, _ = ak.broadcast_arrays(values, shape)
            flat[name] = ak.to_numpy(ak.flatten(values, axis=1), allow_missing=False)
        except (ValueError, TypeError) as fault:
            raise DataError(
                f"column {name!r} of {file} does not have one number for each particle of {lead!r}"
            ) from fault
    return flat, counts


def _column(values: Any) -> ak.Array:
    """An array whose lists may differ in length, so that one number per event goes to all particles of the event."""
    array = ak.Array(values)
    return array if array.ndim == 1 else ak.from_regular(array, axis=None)


def _codes(names: Any) -> Any:
    """Names as places in `PARTICLES`."""
    if isinstance(names, str):
        return particle_kind(names)
    codes = ak.str.index_in(names, ak.Array(PARTICLES))
    unknown = ak.flatten(names[ak.is_none(codes, axis=-1)], axis=None if names.ndim == 1 else 1)
    if len(unknown):
        particle_kind(str(unknown[0]))
    return codes


def _kinds(flat: Mapping[str, Any], n_particles: int, particle: str | None, place: _Place) -> NDArray[np.int64]:
    told = [name for name in ("particle", "pdg_id") if name in flat]
    if len(told) + (particle is not None) != 1:
        raise RecipeError(
            "what the particles are must be told once, by a column 'pdg_id' or 'particle' or for all of them; got "
            f"{' and '.join([*told, *([particle] if particle else [])]) or 'nothing'} for {place.file}"
        )
    if particle is not None:
        return np.full(n_particles, particle_kind(particle))
    if told == ["pdg_id"]:
        return kinds_of_pdg_ids(flat["pdg_id"].astype(np.int64))
    kinds: NDArray[np.int64] = flat["particle"].astype(np.int64)
    return kinds


def _motion(flat: Mapping[str, Any], kind: NDArray[np.int64], place: _Place) -> tuple[FloatArray, FloatArray]:
    """Kinetic energies, shape (N,), [GeV], and unit vectors, shape (N, 3)."""
    vector = _vector(flat, _MOMENTUM, place.file)
    if vector is None:
        vector = _vector(flat, _DIRECTION, place.file)
        energy = flat["energy"].astype(np.float64)
    elif "energy" in flat or any(name in flat for name in _DIRECTION):
        raise RecipeError(f"{place.file} gives momenta, so 'energy' and directions must be left out")
    else:
        mass, square = np.array(MASSES)[kind], np.sum(vector**2, axis=1)
        energy = square / (np.sqrt(square + mass**2) + mass)  # E - m without a difference of near numbers
    place.refuse(~(np.isfinite(energy) & (single(energy) > 0)), "the kinetic energy must be > 0 GeV", energy)
    if vector is None:
        return single(energy), np.tile([0.0, 0.0, 1.0], (len(energy), 1))
    length = np.linalg.norm(vector, axis=1)
    place.refuse(~(np.isfinite(length) & (length > 0)), "a direction must be a vector longer than 0", length)
    # a unit vector is left as it is, so that stored truth can be shot again
    return single(energy), np.where(np.abs(length - 1)[:, None] < 1e-14, vector, vector / length[:, None])


def _vector(flat: Mapping[str, Any], names: tuple[str, ...], file: str) -> FloatArray | None:
    given = [name for name in names if name in flat]
    if not given:
        return None
    if len(given) < len(names):
        raise RecipeError(f"{file} has {', '.join(given)} but not all of {', '.join(names)}")
    return np.stack([flat[name].astype(np.float64) for name in names], axis=1)


def _truth(block: Events) -> dict[str, ak.Array]:
    if "particles" in block.fields:
        names = ("pdg_id", *(name for name in _ARRAYS if name != "kind"))
        return {name: block.field(f"particles.{name}") for name in names}
    truth = (("energy", "energy_true"), ("x", "impact_x"), ("y", "impact_y"))
    return {name: ak.Array(block.scalar(field)) for name, field in truth}


def _told_particle(provenance: Mapping[str, Any], file: str) -> str:
    """The one kind of particle that the provenance of events names."""
    if "gun" in provenance:
        return str(provenance["gun"]["particle"])
    kinds: Iterable[str] = provenance.get("list", {}).get("particles", ())
    if len(list(kinds)) != 1:
        raise RecipeError(f"the events of {file} do not say what particles they are; name the particle")
    return next(iter(kinds))


def _is_ours(path: Path) -> bool:
    if path.suffix != ".parquet":
        return False
    try:
        return METADATA_KEY in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} is truncated or not a Parquet file ({fault})") from fault


def _read_parquet(path: Path) -> dict[str, Any]:
    """Columns of a file, without Parquet's provision that any value may be missing."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} is damaged ({fault})") from fault
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values, is_list = column.combine_chunks(), pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        missing = values.null_count + (values.flatten().null_count if is_list else 0)
        if missing:
            raise DataError(f"column {name!r} of {path} has {missing} missing values")
        kind = pa.list_(pa.field("item", column.type.value_type, nullable=False)) if is_list else column.type
        field = pa.field(name, kind, nullable=False)
        columns[name] = ak.from_arrow(pa.table({name: values}).cast(pa.schema([field])))[name]
    return columns


def _read_hdf5(path: Path) -> dict[str, Any]:
    try:
        with h5py.File(path) as file:
            columns = {name: np.asarray(values) for name, values in file.items()}
    except (OSError, TypeError, ValueError) as fault:
        raise DataError(f"{path} is not an HDF5 file of plain data sets ({fault})") from fault
    for name, values in columns.items():
        if values.dtype.kind == "O":  # text
            columns[name] = ak.Array([word.decode() for word in values])
    offsets = columns.pop(OFFSETS, None)
    if offsets is None:
        return columns
    lengths = {len(values) for values in columns.values()}
    if (
        offsets.ndim != 1
        or len(offsets) < 1
        or offsets[0] != 0
        or np.any(np.diff(offsets) < 0)
        or lengths != {int(offsets[-1])}
    ):
        raise DataError(
            f"{path}: '{OFFSETS}' must ascend from 0 to the number of particles, which all columns share; columns have "
            f"{sorted(lengths)} entries"
        )
    return {name: ak.unflatten(values, np.diff(offsets)) for name, values in columns.items()}
