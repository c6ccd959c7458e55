"""What all facts and orders between the stages have in common; each of them is in stages/events.py or stages/plc.py."""

from __future__ import annotations

import msgspec


class Said(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """A fact or an order; each kind is a subclass."""
