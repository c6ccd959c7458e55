"""The archive: which plates are kept whole, for how long, and what happens when there is too little room or time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from config.schema.section import Strict

MOST_DAYS = 36_500
Ok = Literal["none", "every", "least sure"]
Every = Annotated[int, Field(ge=1, le=10_000)]


class OwnArchive(Strict):
    """Which OK plates of this product are archived, where its line has an archive."""

    ok: Ok | None = Field(None, description="as archive.ok of the configuration; null: what that says")
    ok_every: Every | None = Field(None, description="as archive.ok_every of the configuration; null: what that says")


class Archive(Strict):
    """The pixels of plates, kept as TIFF files (docs/how-to/archive.md)."""

    verdicts: tuple[Literal["NG", "INCONCLUSIVE"], ...] = Field(
        ("NG", "INCONCLUSIVE"), description="plates of these verdicts are archived; []: none of them"
    )
    ok: Ok = Field(
        "none",
        description="which OK plates are archived, where the recipe does not say otherwise. every: one in ok_every. "
        "least sure: each that is the most doubtful "
        "of the last ok_every, by the chance of a crack of what the classifier vetoed, then by the number of warnings",
    )
    ok_every: Every = Field(100, description="about one OK plate of a recipe in so many, where ok is not none")
    behind: Literal["skip", "wait"] = Field(
        "skip",
        description="when plates come faster than they are written. skip: a plate is left out as soon as no slot is "
        "free, and counted; wait: it keeps its slot, and the line may find none",
    )
    directory: Path | None = Field(
        None, description="where the files lie, as another disk; null: archive in the state directory"
    )
    most_gb: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="files beyond this size are deleted: OK plates first, marked ones last, each the oldest first; "
        "null: a tenth of the disk",
    )
    least_free_gb: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="room that the files leave free on their disk; null: a tenth of the disk, and the room that "
        "pictures leave",
    )
    days: float | None = Field(
        90.0,
        gt=0,
        le=MOST_DAYS,
        description="days of running after which the file of a plate without a mark is deleted; null: with the plate",
    )
    ok_days: float | None = Field(
        14.0, gt=0, le=MOST_DAYS, description="the same of an OK plate; null: as archive.days says"
    )

    @field_validator("verdicts")
    @classmethod
    def _verdicts_once(cls, verdicts: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(verdicts)) < len(verdicts):
            raise ValueError(f"{', '.join(verdicts)} names a verdict twice: keep one")
        return verdicts

    @property
    def on(self) -> bool:
        """Some plates are archived."""
        return bool(self.verdicts) or self.ok != "none"

    def of(self, own: OwnArchive) -> Self:
        """The same with what a recipe says of its own plates."""
        return self.model_copy(update=own.model_dump(exclude_none=True))
