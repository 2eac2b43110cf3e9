"""Simulated showers judged by a reference: every observable side by side, and trees that try to tell them apart."""

from showercal.studies.validation._criteria import Criteria, Signal, all_criteria, find_criteria
from showercal.studies.validation._samples import observe_sample, open_sample
from showercal.studies.validation._validate import GivenReference, ReferenceRun, Validation, validate_simulation

__all__ = [
    "Criteria",
    "GivenReference",
    "ReferenceRun",
    "Signal",
    "Validation",
    "all_criteria",
    "find_criteria",
    "observe_sample",
    "open_sample",
    "validate_simulation",
]
