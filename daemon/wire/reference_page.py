"""The page that lists every message between the processes: docs/reference/messages.md.

`python -m daemon.wire.reference_page` writes it anew after a change of a message. A message's docstring says who says
it to whom, and what.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec

from daemon.wire.messages import VERSION, AnyMessage

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "messages.md"
_HEAD = f"""# Messages

What the processes say to each other, made from the code by `python -m daemon.wire.reference_page`. Version {VERSION}.

- The bytes are msgpack, validated into these types on arrival.
- What is malformed, of another run or of another version is refused and counted (`messages_refused_total`).
- Each message travels in an envelope: version, run, sender with its incarnation, and its place in the conversation.
- Pixels never travel in a message: they lie in the plate memory, and a message says where.
- Plates and windows are named by their numbers, rows and columns in px, moments as monotonic seconds.

How conversations survive restarts: [architecture](../explanation/architecture.md#what-holds-it-together).

| message | who to whom | says | fields |
|---|---|---|---|
"""


def page() -> str:
    """The whole page, as text that ends in a newline."""
    return _HEAD + "".join(_row(kind) for kind in get_args(AnyMessage))


def _row(kind: type[msgspec.Struct]) -> str:
    first = (kind.__doc__ or "").strip().splitlines()[0]
    ends, _, said = first.partition(": ") if "->" in first else ("any → any", "", first)
    fields = ", ".join(f"`{name}`" for name in kind.__struct_fields__) or "none"
    return f"| `{kind.__name__}` | {ends.replace('->', '→')} | {said[:1].upper()}{said[1:]} | {fields} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
