# SPDX-License-Identifier: Apache-2.0
"""A duration in people's words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """A duration for people: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
