"""The ten lines at the top of the page: what of the paper is confirmed, what is not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.lab.study.experiments import EXPERIMENTS
from daemon.lab.study.findings import Judged, Records, figures_of, judged, of_distributions, of_fractions

_WORDS = {
    "yes": "Confirmed",
    "otherwise": "Not confirmed",
    "too small to tell": "Too close to tell",
    "not run": "Not measured yet",
}
"""By answer, in the order in which they are told."""


def ten_lines(scales: Mapping[str, Records]) -> list[str]:
    """A list of ten points: the count, and one for each table and figure.

    Args:
        scales: the records of each scale; the one with the most answers speaks, of equals the last.
    """
    every = {scale: _topics(records) for scale, records in scales.items()}
    scale = max(reversed(every), key=lambda one: _answered(every[one]))
    topics = every[scale]
    told = [one.answer for found in topics.values() for one in found]
    count = {answer: told.count(answer) for answer in _WORDS}  # type: ignore[arg-type]  # its keys are the answers
    rest = f" {count['not run']} are not measured yet." if count["not run"] else ""
    first = (
        f"- Of {len(told)} statements of the paper {count['yes']} are confirmed, {count['otherwise']} are not, and "
        f"{count['too small to tell']} are too close to tell, for the sheets are few (scale {scale}, simulated).{rest}"
    )
    return [first, *(f"- **{topic}.** {_said(found)}" for topic, found in topics.items() if found)]


def _topics(records: Records) -> dict[str, list[Judged]]:
    figures = figures_of(records)
    topics = {
        experiment.topic: [judged(finding, figures) for finding in experiment.findings] for experiment in EXPERIMENTS
    }
    topics["Two peaks of values (Figure 15)"] = of_distributions(records.get("figures/distributions/0"))
    topics["Shares of the values (Figure 16)"] = of_fractions(records.get("figures/fractions/0"))
    return topics


def _answered(topics: Mapping[str, Sequence[Judged]]) -> int:
    return sum(one.answer != "not run" for found in topics.values() for one in found)


def _said(found: Sequence[Judged]) -> str:
    parts = []
    for answer, words in _WORDS.items():
        own = [one for one in found if one.answer == answer]
        if own and answer == "otherwise":
            parts += [f"{words}: {one.short}. Why: {one.because}." for one in own]
        elif own:
            parts.append(f"{words}: {'; '.join(one.short for one in own)}.")
    return " ".join(parts)
