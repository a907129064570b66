"""The findings of a check for programs: as JSON, and as SARIF 2.1.0, which code hosts show beside the lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hybridsite import __version__
from hybridsite.check.finding import RULES, is_warning, rule_of
from hybridsite.errors import SiteError

FORMATS = ("text", "json", "sarif")
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_json(faults: Sequence[SiteError]) -> str:
    """Gives the findings as a list of objects."""
    return json.dumps([_plain(fault) for fault in faults], ensure_ascii=False, indent=2)


def _plain(fault: SiteError) -> dict[str, Any]:
    at = fault.location
    return {
        "rule": rule_of(fault),
        "severity": _severity(fault),
        "file": at.file if at else None,
        "line": at.line or None if at else None,
        "column": at.column or None if at else None,
        "what": fault.what,
        "why": fault.why,
        "mend": fault.mend,
        "pages": list(fault.pages),
    }


def _severity(fault: SiteError) -> str:
    return "warning" if is_warning(fault) else "error"


def as_sarif(faults: Sequence[SiteError]) -> str:
    """Gives the findings as a log of SARIF 2.1.0."""
    told = {rule_of(fault): (type(fault).__doc__ or "").partition("\n")[0] for fault in faults} | RULES
    rules = [{"id": rule, "shortDescription": {"text": text or rule}} for rule, text in sorted(told.items())]
    driver = {"name": "hybridsite", "semanticVersion": __version__, "rules": rules}
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [_result(fault, index[rule_of(fault)]) for fault in faults]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _result(fault: SiteError, index: int) -> dict[str, Any]:
    text = "; ".join(part for part in (fault.what, fault.why, fault.mend) if part)
    result: dict[str, Any] = {
        "ruleId": rule_of(fault),
        "ruleIndex": index,
        "level": _severity(fault),
        "message": {"text": text},
    }
    if fault.location is not None:
        where: dict[str, Any] = {"artifactLocation": {"uri": quote(fault.location.file)}}
        if fault.location.line:
            where["region"] = {"startLine": fault.location.line}
            if fault.location.column:
                where["region"]["startColumn"] = fault.location.column
        result["locations"] = [{"physicalLocation": where}]
    return result
