"""Events kept in scratch files that are mapped into memory: as many as the disk holds, not the memory.

What is used of them comes into memory page by page, and the system takes the pages back when it needs them. The files
have no name, so that nothing is left of them, however the process ends.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.events import Events

_COPIED_AT_A_TIME: Final = 4_000_000  # numbers, where a later block needs a wider type
_KINDS: Final = ("RecordArray", "ListOffsetArray", "RegularArray", "NumpyArray")


class ScratchEvents:
    """Takes blocks of events one by one and gives all of them as one, whose arrays lie on disk.

    A context manager, which closes the files; what is mapped of them stays.

    Args:
        folder: In whose file system the scratch files lie; it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
        self.n_events = 0
        self._like: Events | None = None  # none of the events, but what else there is to say
        self._form: dict[str, Any] = {}
        self._buffers: dict[str, _Buffer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for buffer in self._buffers.values():
            buffer.close()

    def append(self, block: Events) -> None:
        """Take a block of the same source as those before.

        Raises:
            DataError: If a field has missing values or another shape than before, or the disk is full.
        """
        form, length, arrays = ak.to_buffers(ak.to_packed(block.array))
        form = _with_long_lists(form.to_dict(), block)
        if self._like is None:
            self._like, self._form = replace(block, array=ak.to_packed(block.array[:0])), form
            self._buffers = {key: _Buffer(self.folder, array.dtype) for key, array in arrays.items()}
        elif _shape(form) != _shape(self._form):
            raise DataError(
                f"events {self.n_events} to {self.n_events + length} are {block.array.type.content}; those before are "
                f"{self._like.array.type.content}: do not mix samples"
            )
        for key, array in arrays.items():
            self._buffers[key].append(array, is_offsets=key.endswith("-offsets"))
        self.n_events += length

    def events(self) -> Events:
        """All of them; they stay when this is closed.

        Raises:
            DataError: If there are none.
        """
        if self._like is None:
            raise DataError("no events were read")
        form = ak.forms.from_dict(_with_types(self._form, self._buffers))
        arrays = {key: buffer.mapped() for key, buffer in self._buffers.items()}
        return replace(self._like, array=ak.from_buffers(form, self.n_events, arrays))


class _Buffer:
    """One array of numbers in a file that grows; offsets of lists go on where those before end."""

    def __init__(self, folder: Path, dtype: np.dtype[Any]) -> None:
        self.folder, self.dtype, self.length, self.last = folder, dtype, 0, 0
        # without a buffer of its own, whose last bytes would meet a full disk later
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with all of them

    def append(self, array: NDArray[Any], *, is_offsets: bool) -> None:
        if is_offsets:
            array = array.astype(np.int64) + self.last
            array = array if self.length == 0 else array[1:]
            self.last = int(array[-1]) if len(array) else self.last
        wider = np.result_type(self.dtype, array.dtype)
        if wider != self.dtype:
            self._widen(wider)
        left = np.ascontiguousarray(array, dtype=self.dtype).reshape(-1).view(np.uint8).data
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as fault:
            raise DataError(
                f"the events do not fit on the disk of {self.folder} ({fault}): make room, choose an --out elsewhere, "
                "or leave out small cells (data.cells_above)"
            ) from fault
        self.length += array.size

    def mapped(self) -> NDArray[Any]:
        if self.length == 0:
            return np.empty(0, self.dtype)
        return np.asarray(np.memmap(self._file, self.dtype, "r", shape=(self.length,)))

    def _widen(self, dtype: np.dtype[Any]) -> None:
        """Write all numbers again in a type that holds those to come, too."""
        wide, old = _Buffer(self.folder, dtype), self.mapped()
        for first in range(0, len(old), _COPIED_AT_A_TIME):
            wide.append(old[first : first + _COPIED_AT_A_TIME], is_offsets=False)
        self.close()
        self._file, self.dtype = wide._file, dtype

    def close(self) -> None:
        self._file.close()


def _with_long_lists(form: dict[str, Any], block: Events, path: str = "") -> dict[str, Any]:
    """The form with offsets of 8 bytes: few entries a list are still many in all.

    Raises:
        DataError: If it has missing values or is of no kind that events have.
    """
    kind = form["class"]
    if kind not in _KINDS:
        raise DataError(
            f"field {path!r} has missing values or no common type ({block.array.type.content}); drop such events, or "
            "write them without the field"
        )
    if kind == "RecordArray":
        names = [f"{path}.{name}".lstrip(".") for name in form["fields"]]
        inner = [_with_long_lists(one, block, name) for name, one in zip(names, form["contents"], strict=True)]
        return form | {"contents": inner}
    if kind == "NumpyArray":
        return form
    long = {"offsets": "i64"} if kind == "ListOffsetArray" else {}
    return form | long | {"content": _with_long_lists(form["content"], block, path)}


def _with_types(form: dict[str, Any], buffers: dict[str, _Buffer]) -> dict[str, Any]:
    """The form with the types that the numbers have on disk."""
    if form["class"] == "NumpyArray":
        return form | {"primitive": buffers[f"{form['form_key']}-data"].dtype.name}
    if form["class"] == "RecordArray":
        return form | {"contents": [_with_types(one, buffers) for one in form["contents"]]}
    return form | {"content": _with_types(form["content"], buffers)}


def _shape(form: dict[str, Any]) -> Any:
    """What two blocks must have in common: all but the types of their numbers."""
    if form["class"] == "NumpyArray":
        return form["inner_shape"]
    if form["class"] == "RecordArray":
        return [form["fields"], *(_shape(one) for one in form["contents"])]
    return [form["class"], form.get("size"), _shape(form["content"])]
