"""The numbers of verdicts and causes by which PLCs are programmed, over whatever protocol they hear them."""

from __future__ import annotations

from stages.plate import Cause, Verdict

VERDICTS = {Verdict.OK: 1, Verdict.NG: 2, Verdict.INCONCLUSIVE: 3}
CAUSES = {
    Cause.DEFECT: 1,
    Cause.ROWS_MISSING: 2,
    Cause.TOO_LONG: 3,
    Cause.TOO_SHORT: 4,
    Cause.TOO_SMALL: 5,
    Cause.STARTED_MID_SHEET: 6,
    Cause.ACQUISITION_DIED: 7,
    Cause.NO_ROWS: 8,
    Cause.OVERLOAD: 9,
    Cause.WINDOW_QUARANTINED: 10,
    Cause.WINDOW_FAILED: 11,
    Cause.REGIONS_TRUNCATED: 12,
    Cause.BRIGHTNESS: 13,
    Cause.CONTRAST: 14,
    Cause.SATURATION: 15,
    Cause.FOCUS: 16,
    Cause.COVERAGE: 17,
    Cause.ROWS_REPEATED: 18,
    Cause.COLUMNS_REPEATED: 19,
    Cause.COLUMNS_DEAD: 20,
    Cause.NOISE: 21,
    Cause.FAULTY_BIT: 22,
    Cause.ROWS_MISPLACED: 23,
    Cause.COLUMNS_MISPLACED: 24,
    Cause.NEGATIVE: 25,
    Cause.GAIN_JUMPS: 26,
    Cause.LATE: 27,
    Cause.CLASSIFIER_LATE: 28,
    Cause.ROLE_LOST: 29,
    Cause.SERVICE_DIED: 30,
    Cause.SHUTDOWN: 31,
    Cause.STORE_FAILED: 32,
    Cause.UNREADABLE: 33,
    Cause.WRONG_WIDTH: 34,
    Cause.FURTHER_PAGES: 35,
    Cause.DEPTH: 36,
    Cause.CHECK_OVERDUE: 37,
    Cause.SWITCH_DOUBTFUL: 38,
    Cause.GOLDEN_SHEET: 39,
}
"""PLCs are programmed by these: a number is never given again."""
OTHER_CAUSE = 255
"""A cause that has no number yet."""
