"""Files of any experiment -> Events, by a declared mapping of branches to fields; no code needed."""

from showercal.readers._mapped import MappedEvents, find_files, open_mapped, read
from showercal.readers._mapping import Field, Mapping, load_mapping, packaged_mappings
from showercal.readers._open import matching_mappings, open_any
from showercal.readers._summary import Spectrum, Summary, summarise

__all__ = [
    "Field",
    "MappedEvents",
    "Mapping",
    "Spectrum",
    "Summary",
    "find_files",
    "load_mapping",
    "matching_mappings",
    "open_any",
    "open_mapped",
    "packaged_mappings",
    "read",
    "summarise",
]
