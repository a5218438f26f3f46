"""Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats.

A writer of a few lines, checked by promtool in the tests: the library prometheus_client costs the sensor 5.7 MB of memory (docs/design.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["CONTENT_TYPE", "Metric", "Sample", "expose"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, tuple[str, ...], float]
"""Name of the metric, values of its labels in order, value."""

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: with unit and, for counters, ``_total``.
        kind: ``counter`` or ``gauge``.
        help: one sentence.
        labels: names of the labels.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


def expose(metrics: Iterable[Metric], samples: Iterable[Sample]) -> bytes:
    """The samples under the heads of their metrics, in the order of the metrics; those without samples are left out.

    Raises:
        KeyError: a sample of no metric.
    """
    found: dict[str, tuple[Metric, list[str]]] = {metric.name: (metric, []) for metric in metrics}
    for name, values, value in samples:
        metric, lines = found[name]
        lines.append(f"{name}{_labels(metric.labels, values)} {_number(value)}\n")
    text = "".join(
        f"# HELP {metric.name} {_escaped(metric.help, quotes=False)}\n# TYPE {metric.name} {metric.kind}\n{''.join(lines)}"
        for metric, lines in found.values() if lines
    )  # fmt: skip
    return text.encode()


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escaped(text: str, *, quotes: bool = True) -> str:
    """The text with what the format escapes; bytes that are no UTF-8 become U+FFFD."""
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    if quotes:
        text = text.replace('"', r"\"")
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _number(value: float) -> str:
    if isinstance(value, int):  # bool, too
        return str(int(value))
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
