"""A verdict in words, as people's programs read it: the names are those of the store."""

from __future__ import annotations

import json

from stages.output import Say


def as_json(order: Say) -> bytes:
    """The verdict as one JSON object, UTF-8."""
    due = order.due
    words = {
        "plate": due.plate,
        "part_id": due.part_id,
        "batch_id": due.batch_id,
        "verdict": due.verdict.value,
        "divert": order.divert,
        "causes": [cause.value for cause in due.causes],
        "reason": due.reason,
        "defects": due.defects,
        "latency_s": due.latency_s,
        "simulated": due.simulated,
    }
    return json.dumps(words, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def as_line(order: Say) -> bytes:
    """The verdict as one line, whose fields hold no semicolon."""
    due = order.due
    latency = "" if due.latency_s is None else str(round(1000 * due.latency_s))
    cause = due.causes[0].value if due.causes else ""
    ids = ((one or "").translate({ord(sign): "_" for sign in ";\r\n"}) for one in (due.part_id, due.batch_id))
    fields = ("VERDICT", due.plate, due.verdict.value, int(order.divert), cause, due.defects, latency, *ids)
    return ";".join(map(str, fields)).encode(errors="backslashreplace") + b"\n"
