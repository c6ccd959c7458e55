"""What is left of a result that the store could not take as it was, or in time. Never OK, and NG stays NG."""

from __future__ import annotations

from dataclasses import replace

from stages.plate import Cause, PlateResult, Verdict, without_windows


def without_ok(result: PlateResult, text: str) -> PlateResult:
    """The result of a plate whose verdict the store kept waiting: OK becomes INCONCLUSIVE, NG and its causes stay."""
    if result.verdict is Verdict.NG:
        return result
    if Cause.STORE_FAILED in result.causes:
        return result
    reason = f"{result.reason}; store failed: {text}" if result.reason else f"store failed: {text}"
    return replace(result, verdict=Verdict.INCONCLUSIVE, causes=(*result.causes, Cause.STORE_FAILED), reason=reason)


def bare(result: PlateResult) -> PlateResult:
    """The same verdict with nothing but what the store needs, for a result that it refused."""
    kept = without_windows(result.run, result.plate, result.verdict, result.causes, result.reason)
    return replace(kept, image=result.image, classifier=result.classifier)


def least(result: PlateResult) -> PlateResult:
    """The same again, without a word that came with it: for a result that was refused even bare."""
    ng = result.verdict is Verdict.NG
    verdict = Verdict.NG if ng else Verdict.INCONCLUSIVE
    causes = (Cause.DEFECT,) if ng else (Cause.STORE_FAILED,)
    return without_windows(result.run, result.plate, verdict, causes, "the store refused the result")


def untold(run: str, plate: int, reached: Verdict | None) -> PlateResult:
    """The result of a plate of which the store takes nothing: as the ledger will have it when it is closed."""
    what = "whether it was seen" if reached is None else f"the verdict that was reached: {reached}"
    reason = f"the store takes no record of this plate; lost is {what}"
    return without_windows(run, plate, Verdict.INCONCLUSIVE, (Cause.STORE_FAILED,), reason)
