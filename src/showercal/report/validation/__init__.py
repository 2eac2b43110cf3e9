"""The page of a validation: simulated showers beside those of the reference."""

from showercal.report.validation._bounds import BoundLine, BoundSummary, bound_lines, bound_summaries
from showercal.report.validation._content import ValidationContent, Verdict
from showercal.report.validation._page import validation_markdown, write_validation

__all__ = [
    "BoundLine",
    "BoundSummary",
    "ValidationContent",
    "Verdict",
    "bound_lines",
    "bound_summaries",
    "validation_markdown",
    "write_validation",
]
