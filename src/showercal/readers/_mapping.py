"""The mapping: which branch of a foreign file becomes which field of Events, in which unit and shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    NonNegativeInt,
    ValidationError,
    field_validator,
    model_validator,
)

from showercal.detectors import BoxCalorimeter, detector
from showercal.errors import DataError, GeometryError, RecipeError, nearest
from showercal.readers._select import Selection
from showercal.units import dimension

Format = Literal["parquet", "root", "hdf5"]
Axis = int | Literal["ragged"]
MatrixAxis = Literal["channel", "z", "x", "y"]

_SUFFIXES: Final[dict[str, Format]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".root": "root",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
}
_DTYPES: Final = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float32", "float64", "bool"),
)
FOLD_NUMBER: Final = "fold_number"  # branch of `layout: folds` that no data set holds
_MATRIX_AXES: Final = ["channel", "x", "y", "z"]
_NUMBERED: Final = ("dense", "matrix")  # shapes whose cells are numbered by their place
_PACKAGED: Final = Path(__file__).parent / "mappings"
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")

# What a field of that (last) name must measure, whatever its unit.
_DIMENSION: Final = {
    **dict.fromkeys(("energy_true", "energy", "energy_visible", "energy_deposited", "pt", "mass"), "energy"),
    **dict.fromkeys(("impact_x", "impact_y", "impact_z", "x", "y", "z"), "length"),
    **dict.fromkeys(("phi", "theta"), "angle"),
    **dict.fromkeys(("id", "tracks", "layer", "eta"), "number"),
    "time": "time",
}


def _one_as_text(value: object) -> object:
    return "1" if value == 1 else value  # YAML reads `unit: 1` as a number


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Field(_Strict):
    """Where one field comes from.

    Args:
        branch: Column of the file: a Parquet column (``a.b`` for a member of a struct), a ROOT branch, a data set of
            HDF5.
        value: One constant for all events, in place of a branch.
        unit: Unit in the file; the reader converts.
        shape: Per event: ``scalar``, ``ragged`` (a list), a list of axes such as ``[28]``, ``[8, 8]`` or
            ``[ragged, 28]``, ``dense``: one entry per cell, of which the non-zero ones are kept and numbered, or
            ``matrix``: the same of a fold file, which may be sparse (see ``axes``). Default: ``ragged`` for dotted
            names, else ``scalar``.
        dtype: NumPy type to hold the values in, e.g. ``int32``; default: as in the file.
        counts: HDF5 only: data set with the number of entries of each event, where ``branch`` is flat.
        offsets: HDF5 only: data set with the first entry of each event (and the end), where ``branch`` is flat.
        column: HDF5 only: one column of a table, by its number or (fold files) its name in ``meta_data/cont_feats``.
        axes: Of a ``matrix``: what its axes are, each of z, x, y once, and ``channel`` where it has that axis.
            Default: ``[channel, z, x, y]``.
        default: Constant of the files that have no such branch; without it they are refused.
    """

    branch: str | None = None
    value: float | None = None
    unit: Annotated[str, BeforeValidator(_one_as_text)]
    shape: Literal["scalar", "ragged", "dense", "matrix"] | tuple[Axis, ...] | None = None
    dtype: str | None = None
    counts: str | None = None
    offsets: str | None = None
    column: NonNegativeInt | str | None = None
    axes: tuple[MatrixAxis, ...] | None = None
    default: float | None = None

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        dimension(unit)
        return unit

    @field_validator("dtype")
    @classmethod
    def _known_dtype(cls, name: str | None) -> str | None:
        if name is None or name in _DTYPES:
            return name
        raise ValueError(f"unknown dtype {name!r}; {nearest(name, _DTYPES)}")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.branch is None) == (self.value is None):
            raise ValueError("give either 'branch' (a column of the file) or 'value' (a constant), one of them")
        if self.counts is not None and self.offsets is not None:
            raise ValueError("give 'counts' or 'offsets', not both")
        return self

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        flat = self.counts is not None or self.offsets is not None
        if self.column is not None and (self.branch is None or flat or self.shape not in (None, "scalar")):
            raise ValueError("a 'column' is one number per event of a 'branch', without 'counts', 'offsets' or 'shape'")
        axes = [*(self.axes or _MATRIX_AXES)]
        complete = sorted(axes if "channel" in axes else [*axes, "channel"]) == _MATRIX_AXES
        if not complete or (self.axes is not None and self.shape != "matrix"):
            raise ValueError("'axes' are those of shape 'matrix': z, x and y, each once, and channel if it has one")
        if self.shape == "matrix" and (flat or self.branch is None):
            raise ValueError("shape 'matrix' needs a 'branch', without 'counts' or 'offsets'")
        if self.default is not None and (self.branch is None or self.shape not in (None, "scalar")):
            raise ValueError("a 'default' is one number per event in place of a missing 'branch'; it cannot be a list")
        return self

    @property
    def columns(self) -> list[str]:
        """Columns of the file that this field needs."""
        return [name for name in (self.branch, self.counts, self.offsets) if name is not None]

    @property
    def constant(self) -> Field:
        """The default in place of the branch."""
        return Field(value=self.default, unit=self.unit, dtype=self.dtype)


class Mapping(_Strict):
    """A declared mapping of a file's branches to fields of `Events`; YAML on disk, see `load_mapping`.

    Args:
        name: Name or path it was loaded from.
        description: What the files are.
        format: ``parquet``, ``root``, ``hdf5``, or ``auto`` to go by the file's suffix.
        tree: ROOT: name of the TTree or RNTuple; may be left out where a file has one.
        group: HDF5: group that holds the data sets.
        layout: HDF5: ``rows`` (one data set per branch), or ``folds``: groups ``fold_0``, ``fold_1``, ... that each
            hold all data sets for some of the events, as LUMIN writes them; the number of the fold is read as the
            branch ``fold_number``.
        geometry: Name of a detector, or a ``.json`` file beside the mapping; None when there are no cells.
        fields: Field name (``energy_true``, ``cells.energy``) -> `Field`. Names with the same first part are zipped
            to one list of records.
        select: Events to keep: an expression in the field names, in GeV, mm, ns, rad, e.g.
            ``energy_true > 0.5 and count(cells.id) > 0``.

    Raises:
        RecipeError: From `load_mapping` and `Mapping.parse`, if something does not fit.
    """

    name: str = "mapping"
    description: str = ""
    format: Literal["parquet", "root", "hdf5", "auto"] = "auto"
    tree: str | None = None
    group: str | None = None
    layout: Literal["rows", "folds"] = "rows"
    geometry: str | None = None
    fields: dict[str, Field]
    select: str | None = None

    @field_validator("fields")
    @classmethod
    def _fields_fit(cls, fields: dict[str, Field]) -> dict[str, Field]:
        if not fields:
            raise ValueError("declare at least one field")
        if all(field.branch is None or field.default is not None for field in fields.values()):
            raise ValueError("at least one field needs a 'branch' (without 'default'): constants alone are no events")
        for name, field in fields.items():
            _check_field(name, field, fields)
        return fields

    @model_validator(mode="after")
    def _selection_fits(self) -> Self:
        if self.select is not None:
            Selection(self.select).check_names([*self.fields, *self.numbered_ids])
        return self

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        matrices = [name for name, field in self.fields.items() if field.shape == "matrix"]
        if self.layout == "folds":
            if self.format not in ("auto", "hdf5"):
                raise ValueError(f"layout 'folds' is of HDF5 files; the format is {self.format!r}")
            counted = [one for one in self.fields.values() if one.branch not in (None, FOLD_NUMBER)]
            if all(one.shape == "matrix" or one.default is not None for one in counted):
                raise ValueError("layout 'folds' needs a field with one entry per event, such as energy_true")
        elif matrices:
            raise ValueError(f"field {matrices[0]!r}: shape 'matrix' needs 'layout: folds'; without folds use 'dense'")
        elif named := [name for name, field in self.fields.items() if isinstance(field.column, str)]:
            raise ValueError(f"field {named[0]!r}: a 'column' has a name in 'layout: folds' only; give its number")
        if matrices and self.geometry is None:
            raise ValueError(f"field {matrices[0]!r}: shape 'matrix' needs a 'geometry', which numbers its cells")
        return self

    @staticmethod
    def parse(data: object, *, where: str) -> Mapping:
        """Build from plain data, with messages that name the place and the nearest known key.

        Raises:
            RecipeError: If something does not fit.
        """
        if not isinstance(data, dict):
            raise RecipeError(f"{where}: a mapping file holds keys such as 'fields:'; got {type(data).__name__}")
        try:
            return Mapping.model_validate({"name": where, **data})
        except ValidationError as fault:
            raise RecipeError(f"{where}: {_explain(fault)}") from fault

    @property
    def numbered_ids(self) -> list[str]:
        """Cell-number fields that dense collections and matrices bring along, e.g. ``['cells.id']``."""
        numbered = {name.partition(".")[0] for name, field in self.fields.items() if field.shape in _NUMBERED}
        return [f"{collection}.id" for collection in sorted(numbered)]

    def format_of(self, file: Path) -> Format:
        """Format of a file.

        Raises:
            DataError: If it is to be told by the suffix and the suffix is unknown.
        """
        if self.format != "auto":
            return self.format
        found = format_by_suffix(file)
        if found is None:
            raise DataError(
                f"cannot tell the format of {file} by its suffix {file.suffix!r}; known: {', '.join(_SUFFIXES)}; "
                "say 'format: parquet', 'root' or 'hdf5' in the mapping"
            )
        return found

    def calorimeter(self) -> BoxCalorimeter | None:
        """The geometry, or None where the mapping names none.

        Raises:
            GeometryError: If there is no such detector or file.
        """
        if self.geometry is None:
            return None
        if not self.geometry.endswith(".json"):
            return detector(self.geometry)
        beside = Path(self.name).parent / self.geometry
        return detector(str(beside if beside.is_file() else self.geometry))


def format_by_suffix(file: Path) -> Format | None:
    """``parquet``, ``root`` or ``hdf5`` by the suffix, or None."""
    return _SUFFIXES.get(file.suffix.lower())


def load_mapping(mapping: Mapping | str | Path) -> Mapping:
    """A mapping by the name of a packaged one, or from a YAML file.

    Raises:
        RecipeError: If there is no such mapping, or it is not valid.

    Example:
        >>> load_mapping("geant4_b4").fields["energy_gap"].branch
        'Egap'
    """
    if isinstance(mapping, Mapping):
        return mapping
    name = str(mapping)
    path = Path(name) if name.endswith((".yaml", ".yml")) else _PACKAGED / f"{name}.yaml"
    if not path.is_file():
        known = packaged_mappings()
        raise RecipeError(
            f"no mapping {name!r}: it is neither a .yaml file nor packaged; {nearest(Path(name).stem, known)}"
        )
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise RecipeError(f"{path} is not valid YAML: {fault}") from fault
    parsed = Mapping.parse(data, where=name)
    try:
        parsed.calorimeter()
    except GeometryError as fault:
        raise RecipeError(f"{name}: geometry: {fault}") from fault
    return parsed


def packaged_mappings() -> list[str]:
    """Names of the mappings that come with showercal.

    Example:
        >>> packaged_mappings()
        ['g4_pwo_muons', 'g4_toy_electrons', 'geant4_b4', 'lumin_muons']
    """
    return sorted(path.stem for path in _PACKAGED.glob("*.yaml"))


def axes(name: str, field: Field) -> tuple[Axis, ...]:
    """Axes of one event's value: () for a scalar, ('ragged',) for a list, ('ragged', 28), (8, 8), ..."""
    shape = field.shape or ("ragged" if "." in name else "scalar")
    if shape == "scalar":
        return ()
    if isinstance(shape, str):
        return ("ragged",)
    return shape


def _check_field(name: str, field: Field, fields: dict[str, Field]) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"field name {name!r} must be a word such as energy_true, or two such as cells.energy")
    expected = _DIMENSION.get(name.rpartition(".")[2])
    got = dimension(field.unit)
    if expected is not None and got != expected:
        article = "an" if expected[0] in "aeiou" else "a"
        raise ValueError(f"field {name!r} must be {article} {expected}; its unit {field.unit!r} is one of {got}")
    if name == "energy_true" and axes(name, field):
        raise ValueError("field 'energy_true' must be one number per event (shape: scalar)")
    if field.value is not None and (field.shape not in (None, "scalar") or "." in name):
        raise ValueError(f"field {name!r}: a constant 'value' is one number per event; it cannot be a list")
    if isinstance(field.shape, tuple) and any(isinstance(n, int) and n < 1 for n in field.shape):
        raise ValueError(f"field {name!r}: fixed axes must be >= 1; got shape {list(field.shape)}")
    collection, dot, _ = name.partition(".")
    if not dot:
        if any(other.startswith(f"{name}.") for other in fields):
            raise ValueError(f"field {name!r} cannot be both a field and a list of records ({name}. ...)")
        if field.shape in _NUMBERED:
            raise ValueError(f"field {name!r}: shape {field.shape!r} is for lists of cells; name it e.g. cells.energy")
        return
    if axes(name, field)[:1] != ("ragged",):
        raise ValueError(f"field {name!r} is part of a list of records: its shape must be ragged or start with ragged")
    siblings = {other: one.shape == "dense" for other, one in fields.items() if other.startswith(f"{collection}.")}
    if any(siblings.values()) and (not all(siblings.values()) or f"{collection}.id" in fields):
        raise ValueError(
            f"{collection}: either all of its fields are dense or none, and a dense list numbers its cells itself (no "
            f"{collection}.id); got {', '.join(siblings)}"
        )
    if field.shape == "matrix" and len(siblings) > 1:
        raise ValueError(f"{collection}: a matrix is the only field of its list and numbers its cells itself")


def _explain(fault: ValidationError) -> str:
    parts = []
    for error in fault.errors():
        place = [str(part) for part in error["loc"]]
        if error["type"] == "extra_forbidden":
            model = Field if place[:1] == ["fields"] else Mapping
            owner = f" in {'.'.join(place[:-1])}" if len(place) > 1 else ""
            parts.append(f"unknown key {place[-1]!r}{owner}; {nearest(place[-1], model.model_fields)}")
        elif error["type"] == "value_error":
            prefix = f"{'.'.join(place)}: " if len(place) > 1 else ""
            parts.append(prefix + str(error["ctx"]["error"]))
        elif "shape" in place:
            field = ".".join(place[: place.index("shape")])
            parts.append(f"{field}: shape must be scalar, ragged, dense, matrix or a list of axes such as [ragged, 28]")
        else:
            parts.append(f"{'.'.join(place)}: {error['msg']}, got {_short(error['input'])}")
    return "; ".join(dict.fromkeys(parts))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
