"""Simulated showers judged by a reference: every observable side by side, and trees that try to tell them apart."""

from showercal.studies.validation._samples import Observables, observe, open_sample

__all__ = ["Observables", "observe", "open_sample"]
