"""Logs as one JSON object a line on stderr, with role, run and pid on each; stdlib loggers and warnings join in.

A line is read from the left on a screen that cuts it off: when, how bad, what, who, then what it is about.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from daemon.telemetry.recent import RECENT

_FIRST = ("timestamp", "level", "event", "role")
_LAST = ("logger", "pid", "run", "stack", "exception")


def configure(role: str, run: str | None = None, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up the logs of this process; `stream` is stderr by default.

    Further context (plate, window, stage) is bound by `structlog.contextvars.bound_contextvars` or `logger.bind`.
    """
    fixed = {"role": role, "pid": os.getpid(), **({} if run is None else {"run": run})}

    def whose(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        # Not by contextvars: those of the main thread are not seen in others.
        return {**fixed, **event}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        whose,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                _in_reading_order,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler, RECENT]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _in_reading_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    first = {key: event.pop(key) for key in _FIRST if key in event}
    last = {key: event.pop(key) for key in _LAST if key in event}
    return {**first, **event, **last}


def _json(event: dict[str, Any], **options: Any) -> str:  # noqa: ANN401 - json.dumps's own options
    try:
        return json.dumps(event, allow_nan=False, **options)
    except (TypeError, ValueError):
        # NaN, odd keys, a ring of references: a log line must neither raise nor be no JSON.
        return json.dumps({str(key): repr(value) for key, value in event.items()})


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    structlog.get_logger("uncaught").critical("uncaught exception", exc_info=(kind, error, traceback))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = None if args.thread is None else args.thread.name
    structlog.get_logger("uncaught").critical(
        "uncaught exception in a thread",
        thread=name,
        exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback),
    )
