"""The verdict rule: NG before INCONCLUSIVE before OK, and never OK by default (docs/explanation/architecture.md).

A confirmed defect makes a plate NG even where the plate is incomplete. OK needs every window scored, every row
delivered, a length within tolerance and every quality gate passed; whatever else is a cause of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum, isnan
from typing import Literal

from config.schema import Recipe
from models.detector.findings import Quality, clearer
from stages.camera import Loss, Sheet
from stages.gates import failed_gates
from stages.integrity import NO_FAULTS, Faults, faults_of
from stages.plate import Cause, Defect, PlateResult, Verdict, WindowResult, window_columns, window_rows
from stages.through_lines import through_lines

NARROW = 0.25
"""Share of the pixels of the band before, below which the last one is judged with it; likewise of blocks of columns."""
TELLING = (
    Cause.DEFECT,
    Cause.STARTED_MID_SHEET,
    Cause.ACQUISITION_DIED,
    Cause.OVERLOAD,
    Cause.NO_ROWS,
    Cause.UNREADABLE,
    Cause.WRONG_WIDTH,
    Cause.SERVICE_DIED,
    Cause.ROLE_LOST,
    Cause.STORE_FAILED,
    Cause.SHUTDOWN,
    Cause.LATE,
    Cause.CLASSIFIER_LATE,
    Cause.TOO_SMALL,
    Cause.TOO_LONG,
    Cause.TOO_SHORT,
    Cause.ROWS_MISSING,
    Cause.SWITCH_DOUBTFUL,
    Cause.WINDOW_QUARANTINED,
    Cause.WINDOW_FAILED,
    Cause.REGIONS_TRUNCATED,
    Cause.DEPTH,
    Cause.FURTHER_PAGES,
    Cause.NOISE,
    Cause.FAULTY_BIT,
    Cause.NEGATIVE,
    Cause.ROWS_MISPLACED,
    Cause.COLUMNS_MISPLACED,
    Cause.GAIN_JUMPS,
    Cause.ROWS_REPEATED,
    Cause.COLUMNS_REPEATED,
    Cause.COLUMNS_DEAD,
    Cause.COVERAGE,
    Cause.BRIGHTNESS,
    Cause.SATURATION,
    Cause.CONTRAST,
    Cause.FOCUS,
    Cause.CHECK_OVERDUE,
    Cause.GOLDEN_SHEET,
)
"""All causes, most telling first."""

PLAIN = {
    Cause.STARTED_MID_SHEET: "the sheet was already in the beam when the service started",
    Cause.ACQUISITION_DIED: "acquisition stopped while the sheet was passing",
    Cause.OVERLOAD: "no plate slot was free when the sheet came",
    Cause.NO_ROWS: "the camera delivered no row of the sheet",
    Cause.UNREADABLE: "the picture could not be read",
    Cause.SERVICE_DIED: "the service stopped before the verdict",
    Cause.ROLE_LOST: "a part of the service failed for good",
    Cause.STORE_FAILED: "the result could not be stored",
    Cause.SHUTDOWN: "the service was stopped before the verdict",
    Cause.SWITCH_DOUBTFUL: "part of the sheet may be missing: the switch cannot be trusted",
    Cause.LATE: "the verdict was not ready by its deadline",
}
"""Causes that need no figures."""


@dataclass(frozen=True, slots=True)
class PlateFacts:
    """What is known of a plate beside its defects and its picture quality."""

    run: str
    plate: int
    rows: int
    columns: int
    windows: int
    """Windows that the plate has."""
    windows_scored: int
    windows_quarantined: int = 0
    windows_truncated: int = 0
    """Scored windows that found more regions than they may report."""
    windows_unscored: int = 0
    """Windows for which the detector gave no numbers."""
    rows_missing: int = 0
    causes: tuple[Cause, ...] = ()
    """What the line already said of the plate: overload, too long for a slot, role lost, ..."""
    sheet: Sheet | None = None
    """What a camera that replays images knew of it."""
    doubt: str = ""
    """Why the switch cannot be trusted, in words."""
    losses: Mapping[str, int] = field(default_factory=dict)
    """Why rows are missing, and how often."""
    classifier: str = "off"
    """What there was of the classifier: stages/opinions.py."""


def facts_of(
    run: str, plate: int, *, rows: int, columns: int, results: Sequence[WindowResult], recipe: Recipe
) -> PlateFacts:
    """The facts of a plate of which every row is there, from the results of its windows."""
    across, down = window_columns(columns, recipe.windows), window_rows(rows, recipe.windows)
    return PlateFacts(
        run=run,
        plate=plate,
        rows=rows,
        columns=columns,
        windows=across * down,
        windows_scored=len({r.window for r in results if r.scored}),
        windows_unscored=len({r.window for r in results if not r.scored}),
        windows_truncated=sum(r.truncated for r in results),
    )


def bands_of(results: Iterable[WindowResult], columns: int, recipe: Recipe) -> tuple[Quality, ...]:
    """The quality of each band, that is of each row of windows with a scored window, from the top."""
    return _sums((result.window // max(1, window_columns(columns, recipe.windows)), result) for result in results)


def blocks_of(results: Iterable[WindowResult], columns: int, recipe: Recipe) -> tuple[Quality, ...]:
    """The quality of each block of columns, that is of each column of windows with a scored window, from the left."""
    return _sums((result.window % max(1, window_columns(columns, recipe.windows)), result) for result in results)


def _sums(results: Iterable[tuple[int, WindowResult]]) -> tuple[Quality, ...]:
    groups: dict[int, list[Quality]] = {}
    for place, result in results:
        groups.setdefault(place, []).append(result.quality)
    sums = [added(groups[place]) for place in sorted(groups)]
    # A narrow rest at the end may lie on the sheet's edge: it is judged with what lies beside it.
    if len(sums) > 1 and sums[-1].unmasked < NARROW * sums[-2].unmasked:
        sums[-2:] = [added(sums[-2:])]
    return tuple(sums)


def added(parts: Iterable[Quality]) -> Quality:
    """The sum of several qualities, exactly rounded, so that no order of the parts changes it."""
    parts = list(parts)
    return Quality(
        unmasked=sum(p.unmasked for p in parts),
        judged=sum(p.judged for p in parts),
        clipped=sum(p.clipped for p in parts),
        total=fsum(p.total for p in parts),
        squares=fsum(p.squares for p in parts),
        lit=sum(p.lit for p in parts),
        fine=fsum(p.fine for p in parts),
        coarse=fsum(p.coarse for p in parts),
        doubt=fsum(p.doubt for p in parts),
    )


def judged(
    facts: PlateFacts, defects: Sequence[Defect], results: Sequence[WindowResult], columns: int, recipe: Recipe
) -> PlateResult:
    """The result of a plate of so many columns from its facts, its defects, and what its windows say of the picture."""
    bands, blocks = bands_of(results, columns, recipe), blocks_of(results, columns, recipe)
    return verdict_of(facts, defects, bands, recipe, faults_of(results, columns, recipe), blocks)


def verdict_of(
    facts: PlateFacts,
    defects: Sequence[Defect],
    bands: Sequence[Quality],
    recipe: Recipe,
    faults: Faults = NO_FAULTS,
    blocks: Sequence[Quality] = (),
) -> PlateResult:
    """The result of a plate from its facts, its defects, the camera's faults, and its bands and blocks of columns."""
    # Each cause with its words; what is found twice is said once, by the first.
    found: dict[Cause, str] = {}
    warnings: list[str] = []
    quality = added(bands)
    coverage = None
    if facts.windows_scored:
        coverage = quality.judged / quality.unmasked if quality.unmasked else 0.0
    defects = _defects(found, warnings, defects, facts, recipe)
    found |= {cause: PLAIN[cause] for cause in facts.causes if cause in PLAIN}
    if facts.doubt:
        found[Cause.SWITCH_DOUBTFUL] = f"part of the sheet may be missing: {facts.doubt}"
    if facts.sheet is not None:
        found |= dict(facts.sheet.faults)
        warnings += facts.sheet.warnings
    _extent(found, facts, recipe)
    _windows(found, facts)
    if coverage is not None and not coverage >= recipe.gates.judged:
        found[Cause.COVERAGE] = f"only {coverage:.1%} of the sheet could be judged, least is {recipe.gates.judged:.1%}"
    _picture(found, warnings, faults, failed_gates(bands, blocks, recipe.gates), recipe)
    for cause in facts.causes:
        # Whatever else the line said of the plate must not get lost on the way to an OK.
        if cause is not Cause.DEFECT:
            found.setdefault(cause, cause.value)
    verdict = Verdict.INCONCLUSIVE if found else Verdict.OK
    if Cause.DEFECT in found:
        verdict = Verdict.NG
    causes = tuple(cause for cause in TELLING if cause in found)
    return PlateResult(
        run=facts.run,
        plate=facts.plate,
        verdict=verdict,
        causes=causes,
        reason="; ".join(found[cause] for cause in causes),
        complete=_complete(facts),
        rows=facts.rows,
        columns=facts.columns,
        windows=facts.windows,
        windows_scored=facts.windows_scored,
        coverage=coverage,
        warnings=tuple(warnings),
        defects=tuple(defects),
        quality=quality,
        image=facts.sheet.image or None if facts.sheet is not None else None,
        losses=dict(facts.losses),
        classifier=facts.classifier,
    )


def _defects(
    found: dict[Cause, str], warnings: list[str], defects: Sequence[Defect], facts: PlateFacts, recipe: Recipe
) -> list[Defect]:
    """What the defects do to their plate; gives them, marked where the classifier vetoed them."""
    judged = [_judged(defect, recipe) for defect in defects]
    marked = [defect for defect, _ in judged]
    confirmed = [defect for defect, said in judged if said == "confirmed"]
    if confirmed:
        found[Cause.DEFECT] = _confirmed(confirmed, recipe)
    if any(said == "unclear" for _, said in judged):
        number = _number(sum(said == "unclear" for _, said in judged))
        found[Cause.CLASSIFIER_LATE] = f"{number} without an answer of the classifier ({facts.classifier})"
    if any(defect.vetoed for defect in marked):
        warnings.append(_vetoes([defect for defect in marked if defect.vetoed]))
    warnings += through_lines(confirmed, facts.rows, facts.columns)
    return marked


def _judged(defect: Defect, recipe: Recipe) -> tuple[Defect, Literal["minor", "confirmed", "unclear", "vetoed"]]:
    """What a defect does to its plate by its score and the classifier's answer; marked where that answer vetoed it.

    Without an answer on each region that would make the plate NG, `annotate` and `veto` keep the defect, and
    `confirm` leaves it unclear. With `veto`, what the classifier takes for a crack counts from a score on that is as
    much lower as the detector goes below its floor for it, and what lies below that floor only then; what the detector
    is sure of is not vetoed.
    """
    rule, chance = recipe.classifier, defect.probability
    if defect.faint and not _backed(defect, recipe):
        return replace(defect, vetoed=True), "vetoed"
    if standing(defect, recipe) < recipe.decision.ng_score:
        return defect, "minor"
    # Written so that a score or a chance that is not a number confirms a defect rather than hides it.
    sure = rule.mode == "veto" and defect.score > rule.veto_most_score
    if isnan(defect.score) or rule.mode in ("off", "annotate") or sure:
        return defect, "confirmed"
    whole = chance is not None and defect.unanswered == 0
    if rule.mode == "confirm" and not whole and not (chance is not None and chance >= rule.confirm_above):
        return defect, "unclear"
    least = rule.veto_below if rule.mode == "veto" else rule.confirm_above
    if whole and chance is not None and chance < least:
        return replace(defect, vetoed=True), "vetoed"
    return defect, "confirmed"


def makes_ng(defect: Defect, recipe: Recipe) -> bool:
    """Whether a defect alone makes its plate NG."""
    return _judged(defect, recipe)[1] == "confirmed"


def standing(defect: Defect, recipe: Recipe) -> float:
    """Score that a defect counts with: higher than its own where a classifier that may veto takes it for a crack."""
    return clearer(defect.score) if _backed(defect, recipe) else defect.score


def _backed(defect: Defect, recipe: Recipe) -> bool:
    rule, chance = recipe.classifier, defect.probability
    return rule.mode == "veto" and chance is not None and chance >= rule.veto_below


def _number(count: int) -> str:
    return "1 defect" if count == 1 else f"{count} defects"


def _vetoes(vetoed: Sequence[Defect]) -> str:
    return f"{_number(len(vetoed))} vetoed by the classifier, {_worst(vetoed, chance=True)}"


def _worst(defects: Sequence[Defect], *, chance: bool = False) -> str:
    worst = max(defects, key=lambda d: d.score)
    at = f"worst {worst.score:.2f} at x {worst.peak_x}, y {worst.peak_y}"
    return f"{at} with a chance of {worst.probability:.2f}" if chance else at


def _complete(facts: PlateFacts) -> bool:
    all_scored = 0 < facts.windows == facts.windows_scored
    return all_scored and facts.rows_missing == 0 and not set(facts.causes) - {Cause.LATE}


def _confirmed(confirmed: Sequence[Defect], recipe: Recipe) -> str:
    least = recipe.decision.ng_score
    clear = [defect for defect in confirmed if not defect.score < least]
    backed = [defect for defect in confirmed if defect.score < least]
    words = [f"{_number(len(clear))} with a score of {least:.2f} or more, {_worst(clear)}"] if clear else []
    if backed:
        said = f"below {least:.2f} that the classifier takes for a crack, {_worst(backed, chance=True)}"
        words.append(f"{_number(len(backed))} {said}")
    return " and ".join(words)


def _extent(found: dict[Cause, str], facts: PlateFacts, recipe: Recipe) -> None:
    """Rows that are missing, too many or too few."""
    if Cause.ROWS_MISSING in facts.causes or facts.rows_missing > 0:
        count = f"{facts.rows_missing} rows" if facts.rows_missing else "an unknown number of rows"
        why = ", ".join(f"{cause} {times}" for cause, times in facts.losses.items() if cause != Loss.RESENT)
        found[Cause.ROWS_MISSING] = f"{count} of the sheet did not arrive" + (f" ({why})" if why else "")
    most = recipe.slot_rows or facts.rows
    if Cause.TOO_LONG in facts.causes or facts.rows > most:
        found[Cause.TOO_LONG] = f"the sheet went on beyond the {most} rows that a plate may have"
    if facts.rows <= 0:
        if not found.keys() - {Cause.DEFECT, Cause.ROWS_MISSING}:
            found[Cause.NO_ROWS] = PLAIN[Cause.NO_ROWS]
        return
    if Cause.TOO_SMALL in facts.causes or min(facts.rows, facts.columns) < max(t.width for t in recipe.templates):
        widest = max(t.width for t in recipe.templates)
        size = f"{facts.columns} x {facts.rows} px"
        found[Cause.TOO_SMALL] = f"{size} is smaller than the widest line to be found ({widest:g} px)"
    if facts.rows < recipe.least_rows:
        found[Cause.TOO_SHORT] = f"{facts.rows} rows, least is {recipe.least_rows}"
    if recipe.length is not None:
        nominal, tolerance = recipe.length.nominal_rows, recipe.length.tolerance
        if facts.rows < nominal * (1 - tolerance):
            words = f"{facts.rows} rows, a sheet has {nominal} within {tolerance:.1%}"
            found.setdefault(Cause.TOO_SHORT, words)
        if facts.rows > nominal * (1 + tolerance):
            words = f"{facts.rows} rows, a sheet has {nominal} within {tolerance:.1%}"
            found.setdefault(Cause.TOO_LONG, words)
    if Cause.TOO_SHORT in facts.causes:
        found.setdefault(Cause.TOO_SHORT, f"{facts.rows} rows are too few")


def _windows(found: dict[Cause, str], facts: PlateFacts) -> None:
    """Windows that were not scored, or not to the end."""
    if facts.windows_quarantined or Cause.WINDOW_QUARANTINED in facts.causes:
        words = f"{facts.windows_quarantined} of {facts.windows} windows were given up after workers had died of them"
        found[Cause.WINDOW_QUARANTINED] = words
    failed = facts.windows - facts.windows_scored - facts.windows_quarantined
    # Windows left over are their own cause only where nothing else says why.
    if Cause.WINDOW_FAILED in facts.causes or (failed > 0 and not set(found) - {Cause.DEFECT}):
        found[Cause.WINDOW_FAILED] = f"{failed} of {facts.windows} windows were not inspected"
    if facts.windows_unscored:
        words = f"for {facts.windows_unscored} of {facts.windows} windows the detector gave no numbers"
        found[Cause.WINDOW_FAILED] = f"{words}: restart, check memory"
    if facts.windows_truncated or Cause.REGIONS_TRUNCATED in facts.causes:
        words = f"{facts.windows_truncated} windows found more spots than they may report"
        found[Cause.REGIONS_TRUNCATED] = words


def _picture(
    found: dict[Cause, str], warnings: list[str], faults: Faults, gates: dict[Cause, str], recipe: Recipe
) -> None:
    """Faults of the camera and gates that failed: causes, or warnings where the recipe says so."""
    warnings += faults.warnings
    if recipe.gates.integrity == "warn":
        warnings += [words for _, words in faults.causes]
    else:
        found |= faults.causes
    if recipe.gates.action == "warn":
        warnings += gates.values()
    else:
        found |= gates
