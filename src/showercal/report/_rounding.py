"""Numbers as a table shows them."""

from __future__ import annotations

import math
from typing import Final

DASH: Final = "–"


def rounded(value: float, error: float = math.nan, *, digits: int = 3) -> tuple[str, str]:
    """Value and error as text, rounded together by the rule of the Particle Data Group.

    The error keeps two digits when its three leading digits are below 355, else one (950 and above: two, as 1000);
    the value ends at the same place.

    Args:
        value: NaN or infinite gives a dash.
        error: NaN or 0 when there is none: the value then keeps ``digits`` significant digits.
        digits: See ``error``.

    Returns:
        The value, and the error or "" when there is none.

    References:
        Particle Data Group, Review of Particle Physics, Introduction, section 5.3 (rounding).

    Example:
        >>> rounded(0.25234, 0.00119), rounded(0.827, 0.367), rounded(659465.0)
        (('0.2523', '0.0012'), ('0.8', '0.4'), ('659,000', ''))
    """
    if not math.isfinite(value):
        return DASH, ""
    if not math.isfinite(error) or error <= 0:
        if value == 0:
            return "0", ""
        return _fixed(value, digits - 1 - math.floor(math.log10(abs(value)))), ""
    exponent = math.floor(math.log10(error))
    leading = round(error / 10.0 ** (exponent - 2))
    decimals = (1 if leading < 355 or leading >= 950 else 0) - exponent
    if leading >= 950:
        decimals -= 1
    return _fixed(value, decimals), _fixed(error, decimals)


def _fixed(value: float, decimals: int) -> str:
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text
