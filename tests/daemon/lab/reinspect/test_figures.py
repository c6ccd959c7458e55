"""Rates of a re-inspection: of whom they speak, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_config
from config.schema import Recipe
from daemon.lab.progress import Teller
from daemon.lab.reinspect.command import reinspect
from daemon.lab.reinspect.figures import figures, rate_of
from daemon.lab.reinspect.held import Held, LeftOut, held, lies_on, marked
from daemon.lab.reinspect.tables import tables
from daemon.offline.reinspect.candidate import candidate_of
from daemon.offline.reinspect.kept import Kept
from daemon.offline.reinspect.plate import Fault, Job, Outcome
from daemon.store.reading import read_results
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import Archived, PlateRow, result_of
from daemon.telemetry.printing import SafeConsole
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict

NOW = datetime(2026, 11, 29, tzinfo=UTC)
RUN = "a" * 32


def defect(x: int, *, vetoed: bool = False) -> Defect:
    return Defect(x, 10, 20, 20, 90, 0.9, x + 5, 15, edge=False, vetoed=vetoed)


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> PlateRow:
    """A plate as the store reads it."""
    state = tmp_path_factory.mktemp("state")
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "small", simulated=True))
        store.seen(RUN, 1, NOW)
        result = PlateResult(RUN, 1, Verdict.OK, (), "", True, 900, 900, 4, 4, 1.0)
        store.commit_verdict(result, decided_at=NOW)
    (row,) = read_results(state).plates
    return replace(row, archive=Archived("archive/aaaaaaaa/000001.ome.tif", 9, "b" * 64, NOW, None))


def plate(blank: PlateRow, number: int, before: Sequence[Defect], after: Sequence[Defect], *marks: Mark) -> Held:
    """A plate with these defects then and now."""
    row = replace(
        blank,
        plate=number,
        defects=tuple(before),
        verdict=Verdict.NG if before else Verdict.OK,
        causes=(Cause.DEFECT,) if before else (),
        marks=marks,
    )
    causes = (Cause.DEFECT,) if after else ()
    candidate = replace(
        result_of(row), defects=tuple(after), verdict=Verdict.NG if after else Verdict.OK, causes=causes
    )
    return held(row, Outcome(number, candidate))


def test_every_plate_is_in_one_count_and_what_is_not_known_is_in_no_rate(blank: PlateRow) -> None:
    unfinished = replace(blank, plate=4, verdict=Verdict.INCONCLUSIVE, causes=(Cause.SHUTDOWN,), windows_scored=2)
    plates = [
        plate(blank, 1, [defect(0)], []),
        plate(blank, 2, [defect(0)], [defect(5)]),
        plate(blank, 3, [], [defect(0)]),
        held(unfinished, Outcome(4, result_of(blank))),
        held(replace(blank, plate=5), Outcome(5, None, fault=Fault.DAMAGED, words="damaged")),
        Held(replace(blank, plate=6), left_out=LeftOut.NOT_ARCHIVED),
    ]
    found = figures(plates)
    assert sum(found.outcomes.values()) == found.selected == 6
    assert found.outcomes == {
        "verdict": 2,
        "unchanged": 1,
        "not inspected whole": 1,
        "file damaged": 1,
        "not archived": 1,
    }
    assert found.compared == 3
    assert (found.changed.count, found.changed.of) == (2, 3)
    assert (found.kept, found.gone.count, found.gone.of, found.new) == (1, 1, 2, 1)
    assert found.verdicts[Verdict.NG][Verdict.OK].count == 1
    assert found.verdicts[Verdict.OK][Verdict.NG].of == 1


def test_a_candidate_is_held_against_what_people_said(blank: PlateRow) -> None:
    marks = (
        Mark(1, MarkKind.CONFIRMED, "anna", NOW, 1),
        Mark(1, MarkKind.FALSE_ALARM, "anna", NOW, 2),
        Mark(1, MarkKind.MISSED, "anna", NOW, place=Place(Shape.BOX, 300, 0, 320, 30)),
        Mark(1, MarkKind.MISSED, "anna", NOW, place=Place(Shape.LINE, 500, 0, 540, 40)),
    )
    one = plate(blank, 1, [defect(0), defect(100)], [defect(0), defect(310), defect(600)], *marks)
    assert [found.fate for found in marked(one)] == ["found", "not found", "found", "not found"]
    found = figures([one, plate(blank, 2, [], [])])
    assert {kind: (rate.count, rate.of) for kind, rate in found.marks.items()} == {
        MarkKind.CONFIRMED: (1, 1),
        MarkKind.FALSE_ALARM: (1, 1),
        MarkKind.MISSED: (1, 2),
    }


def test_a_crack_that_was_vetoed_and_marked_is_found_once_it_counts(blank: PlateRow) -> None:
    said = Mark(1, MarkKind.CONFIRMED, "anna", NOW, 1)
    (found,) = marked(plate(blank, 1, [defect(0, vetoed=True)], [defect(0)], said))
    assert found.fate == "found"
    (found,) = marked(plate(blank, 1, [defect(0, vetoed=True)], [defect(0, vetoed=True)], said))
    assert found.fate == "not found"


@pytest.mark.parametrize(
    ("place", "there"),
    [
        (Place(Shape.LINE, 0, 0, 100, 100), True),
        (Place(Shape.LINE, 0, 100, 100, 0), False),
        (Place(Shape.LINE, 15, 0, 15, 900), True),
        (Place(Shape.BOX, 29, 29, 31, 31), True),
        (Place(Shape.BOX, 30, 10, 40, 20), False),
    ],
)
def test_a_defect_lies_on_a_place_that_it_shares_a_pixel_with(place: Place, there: bool) -> None:
    assert lies_on(defect(10), place) is there


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda two: (min(two), max(two))), max_size=8))
def test_an_interval_holds_its_rate(counts: list[tuple[int, int]]) -> None:
    rate = rate_of([one for one in counts if one[1]])
    assert 0 <= rate.lower <= rate.share <= rate.upper <= 1
    assert (rate.count, rate.of) == (sum(one for one, _ in counts), sum(of for _, of in counts))


def test_the_tables_are_whole_at_80_columns_and_nothing_in_them_steers_the_terminal(blank: PlateRow) -> None:
    damaged = Outcome(5, None, fault=Fault.DAMAGED, words="/a/very/long/path" * 12 + "\x1b[31m its checksum differs")
    unsure = replace(blank, plate=128_041, verdict=Verdict.INCONCLUSIVE, causes=(Cause.FOCUS,))
    plates = [
        plate(blank, 1, [defect(100 * number) for number in range(9)], []),
        held(unsure, Outcome(128_041, result_of(blank))),
        plate(blank, 3, [], [defect(0)], Mark(3, MarkKind.MISSED, "anna", NOW, place=Place(Shape.BOX, 0, 0, 50, 50))),
        held(replace(blank, plate=5), damaged),
    ]
    found, text = figures(plates), StringIO()
    console = SafeConsole(width=80, file=text)
    for table in tables(plates, found):
        console.print(table)
    said = text.getvalue()
    assert max(map(len, said.splitlines())) <= 80
    assert "\x1b" not in said
    assert "\u2026" not in said
    for words in ("and 4 more", "defect 1 gone at x 0, y 10", "new defect at x 0", "missed crack", "INCONCLUSIVE"):
        assert words in " ".join(said.split())
    assert "itschecksumdiffers" in "".join(said.split())


def test_a_run_that_was_ended_goes_on_where_it_stopped(blank: PlateRow, tmp_path: Path) -> None:
    candidate = candidate_of(Recipe(name="small"), load_config(None))
    rows = [replace(blank, plate=number) for number in range(1, 5)]
    asked: list[int] = []

    def engine(jobs: Sequence[Job]) -> Iterator[Outcome]:
        for number, job in enumerate(jobs):
            if number == 2:
                raise KeyboardInterrupt
            asked.append(job.plate)
            yield Outcome(job.plate, job.stored)

    def run() -> list[Held]:
        kept = Kept(tmp_path, candidate)
        with Teller("reinspect", SafeConsole(stderr=True)) as teller:
            return reinspect(rows, candidate.recipe, kept, engine, lambda row: f"/{row.plate}", teller)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert [one.row.plate for one in run()] == [1, 2, 3, 4]
    assert asked == [1, 2, 3, 4]
