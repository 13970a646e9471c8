"""The report for machines, and its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from edge_agent.runtime.doctor.finding import Finding


def report(findings: Iterable[tuple[str, Finding]]) -> dict[str, Any]:
    """What `doctor --json` prints; `ok` is whether nothing failed."""
    rows = [
        {"name": name, "state": each.state, "found": each.found, "fix": each.fix or None}
        for name, each in findings
    ]
    return {"checks": rows, "ok": all(row["state"] != "FAIL" for row in rows)}


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the report."""
    text = files("edge_agent.runtime.doctor").joinpath("report.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
