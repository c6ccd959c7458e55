"""Messages as bytes: what goes in comes out, and nothing else does."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire import messages as m
from models.detector.findings import Quality, Region
from stages import events as e
from stages.camera import Edge, Sheet, Strip
from stages.challenge import Challenge, ChallengedDefect, Change, Kind
from stages.crops import Answer, Crop
from stages.events import Place
from stages.optics import OpticalFault
from stages.plate import Cause, Defect, Heat, PlateResult, Verdict, Window, WindowResult
from stages.plc import Answers, Asked, IdsAnswer, Part, PlcAnswers, PlcAsks, ResetAnswer, Trouble

RUN = "a" * 32
STRIP = Strip(7, 3584, 512, (Edge(3, 3600, rising=True),), level=False)
DEFECT = Defect(x=1, y=2, width=3, height=4, area=9, score=0.1 + 0.2, peak_x=2, peak_y=3, edge=False)
RESULT = PlateResult(
    run=RUN,
    plate=2**53 + 1,
    verdict=Verdict.NG,
    causes=(Cause.DEFECT, Cause.ROWS_MISSING),
    reason="1 defect",
    complete=False,
    rows=1300,
    columns=1300,
    windows=9,
    windows_scored=8,
    coverage=None,
    defects=(DEFECT, replace(DEFECT, probability=0.25, unanswered=1, vetoed=True, heat=Heat(12, 34, bytes(49)))),
    quality=Quality(),
)
WINDOW = Window(index=4, row=1, x=600, y=600, width=650, height=650)
REGION = Region(x=0, y=1, width=2, height=1, area=2, score=1 / 3, peak_x=0, peak_y=1, runs=bytes(range(12)))


PLACE = Place(slot=0, generation=3, columns=1300)
BODIES: list[m.AnyMessage] = [
    m.Hello(),
    m.Heartbeat(pid=1, counters={"rows_total": 1.5}, plates={3: m.Progress(1, 2, 0.5)}, waits_for={3: "workers"}),
    m.LineState(
        at=1.5,
        run=RUN,
        recipe="02CG",
        simulated=True,
        troubles=(m.LineTrouble(m.Area.CAMERA, Trouble.CAMERA, "no camera"),),
        seen=3,
        verdicts={"OK": 2},
        last=2,
        plates=(m.LinePlate(3, 0, 1200, closed=False, progress=m.Progress(1, 2, 0.5, b"\x03", ((1, 2, 3, 4),))),),
        roles={"detect": m.LineRole(2, 2, 0, "", 1 << 30)},
        slots_free=1,
        slots=3,
        camera_rows=4000.0,
        stopping=False,
        optics=(OpticalFault.DUST,),
    ),
    m.ServiceState(
        at=1.5,
        version="1.0",
        facts={"recipe": "02CG", "batch_id": None},
        recipes=("02CG",),
        metrics_port=9100,
        slots={"free": 3},
        log=(m.LogLine("2026-11-30T10:00:00Z", "warning", "merge", "plate hangs", "plate=3"),),
    ),
    m.Exit(),
    m.LoadRecipe(m.NumberedRecipe(3, {"name": "02CG", "masks": []}, {"run": RUN, "batch_id": None})),
    m.RecipeLoaded(3, "no weights"),
    m.KeepRecipes((1, 3)),
    m.JudgeBy(3, 12),
    m.JudgesBy(3, 13),
    e.StripDelivered(0, STRIP, 1.5),
    e.BufferReleased(3),
    e.SwitchHeard(STRIP, 1.5, "24812"),
    e.LineEnded(),
    e.AcquisitionEnded(),
    e.PlateOpened(1, PLACE, Sheet("é.png", ((Cause.DEPTH, "12 bits"),), ("dim",), pixels=False)),
    e.RowsReady(1, 0, 512),
    e.PlateClosed(1, PLACE, 1300, (Cause.TOO_LONG,), 4),
    e.AcquisitionAt(9),
    e.PlateSeen(1, "é.png", 2, Part("P7", "B1"), "24812"),
    e.SeenCommitted(1),
    e.PlateDecided(RESULT, 12.5),
    e.DecidedUnseen(1),
    e.PlateFinal(1),
    e.VerdictCommitted(RESULT, 0.25),
    e.SayAgain(),
    e.StoreFailing("full", "the disk is full"),
    e.StoreWorks("after 3 s"),
    e.RoomShort("1 MB free"),
    e.RoomEnough("again"),
    e.WorkerReady(0, 1, 7, 8, (4, 5), (3,)),
    e.WorkerGone(0, 2, ((1, 4), (1, 5))),
    e.Lease(1, 0, 1, PLACE, 1300, windows=(WINDOW,)),
    e.WindowScored(
        WindowResult(RUN, 1, 4, (REGION,), truncated=False, quality=Quality(), threshold=2.25, seconds=0.001), PLACE
    ),
    e.WindowQuarantined(1, 4),
    e.WindowsMerged(1, (0, 1)),
    e.ClassifyCrops(1, PLACE, 4, (Crop(0, 12, 34), Crop(2, 56, 78)), 1),
    e.CropsClassified(1, 4, (Answer(0, 0.25, bytes(49)), Answer(2, 1.0, b"\xff" * 49)), 1),
    e.CropsUnwanted(1),
    e.ClassifierLost(),
    e.VerdictDue(1, Verdict.NG, (Cause.DEFECT,), "1 defect", 1, "7-b", "B1", 0.25, 12.5, simulated=True, recipe="P10B"),
    e.VerdictTold(1, "acknowledged", divert=True, times=2, said_at=12.5, answered_at=12.75, answer="echo 1"),
    e.OutputFailing("gate", "cannot be reached"),
    e.OutputWorks("gate"),
    e.ChecksOverdue({"P10B": "no check standard is set"}),
    PlcAsks(Asked(1.5, 7, "P7", None, 3, 4, "02CG"), ""),
    PlcAsks(None, "cannot be reached"),
    PlcAnswers(Answers(8, (Trouble.CAMERA,), (Trouble.CAMERA,), 7, IdsAnswer.USED, 3, ResetAnswer.STANDS)),
    e.ArchivePlate(1, PLACE, 1300, Verdict.NG, {"part_id": "<é>", "image": "../1.png"}, (0.05, 0.04)),
    e.PlateCopied(1),
    e.PlateArchived(1, 120_000_000, "a" * 64, 1.5),
    e.PlateNotArchived(1, "no room", "the disk is full"),
    e.ArchiverLost(),
    e.ArchiveLacks("the disk is full"),
    e.ArchiveInStep(),
    e.PlateChallenged(
        7,
        Challenge(
            "a" * 64,
            "P10B-next",
            Kind.VERDICT,
            Verdict.OK,
            (),
            (ChallengedDefect(Change.GONE, 1, 2, 3, 4, 0.75, None, 1),),
        ),
    ),
    e.Noted("alarms reset", "reset: camera"),
    e.ChangeRecipe("02CG", 7),
    e.RecipeChangeAnswered("02CG", 7, "", 12),
    e.Abort(Cause.SHUTDOWN),
    e.Aborted(),
]


def envelope(body: m.AnyMessage) -> m.Envelope:
    return m.Envelope(m.VERSION, m.Sender(RUN, "tile", 0, 2), body, 5, 4, 3, 1)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_a_message_comes_out_as_it_went_in(body: m.AnyMessage) -> None:
    assert m.decode(m.encode(envelope(body)), RUN) == envelope(body)


def test_every_kind_of_message_is_tried_here() -> None:
    assert {type(body) for body in BODIES} == set(m.AnyMessage.__args__)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": m.VERSION + 1}, "version"),
        ({"sender": {"run": "b" * 32, "role": "tile", "index": 0, "incarnation": 1}}, "run"),
        ({"sender": None}, "malformed"),
        ({"body": {"type": "NoSuch"}}, "malformed"),
        ({"body": {"type": "PlateSeen"}}, "malformed"),
        ({"body": {"type": "PlateSeen", "plate": "1"}}, "malformed"),
        ({"body": {"type": "PlateSeen", "plate": 1, "more": 1}}, "malformed"),
        ({"body": {"type": "PlateSeen", "plate": 1.5}}, "malformed"),
        ({"body": {"type": "Abort", "cause": "boredom"}}, "malformed"),
        ({"sequence": True}, "malformed"),
    ],
)
def test_what_is_not_quite_a_message_is_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    raw = msgpack.unpackb(m.encode(envelope(e.PlateSeen(1))))
    with pytest.raises(m.Refused) as refused:
        m.decode(msgpack.packb({**raw, **change}), RUN)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xa1\xff",
        b"\xc7\x01\xff\x00",
    ],
    ids=["empty", "list as key", "map as key", "deep", "four billion", "no UTF-8", "bad timestamp"],
)
def test_bytes_made_to_break_a_decoder_are_refused(data: bytes) -> None:
    with pytest.raises(m.Refused):
        m.decode(data, RUN)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(m.Refused):
        m.decode(data, RUN)


@given(st.sampled_from(BODIES), st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_refused_or_is_a_message(body: m.AnyMessage, place: int, damage: bytes) -> None:
    data = bytearray(m.encode(envelope(body)))
    place %= len(data)
    data[place : place + len(damage)] = damage
    with contextlib.suppress(m.Refused):
        assert isinstance(m.decode(bytes(data), RUN), m.Envelope)


HOSTILE: tuple[object, ...] = (
    None,
    True,
    -1,
    1 << 63,
    -(1 << 63),
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "x" * 1000,
    b"\xff",
    [],
    {},
    [[]],
)


def _places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """All places in a message as msgpack has it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, part in inner for place in _places(part, (*at, key)))]


@given(st.sampled_from(BODIES), st.integers(0, 10_000), st.sampled_from(HOSTILE))
def test_a_hostile_value_in_any_place_is_refused_or_of_the_type_of_that_place(
    body: m.AnyMessage, which: int, value: object
) -> None:
    raw = msgpack.unpackb(m.encode(envelope(body)), strict_map_key=False)
    places = _places(raw)[1:]
    *way, last = places[which % len(places)]
    holder = raw
    for key in way:
        holder = holder[key]
    holder[last] = value
    with contextlib.suppress(m.Refused):
        found = m.decode(msgpack.packb(raw), RUN)
        # What was let in is a whole message: it can be said again.
        assert m.encode(m.decode(m.encode(found), RUN)) == m.encode(found)
