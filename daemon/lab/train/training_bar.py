"""The classifier's training behind a bar on stderr."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from daemon.lab.progress import progress_bar
from models.training.classifier.batches import Renewal
from models.training.classifier.groups import Split
from models.training.classifier.plan import Plan
from models.training.classifier.train import Outcome, train
from models.training.classifier.train import Progress as Step


def train_with_bar(
    console: Console,
    parts: Split,
    plan: Plan,
    checkpoint: Path,
    *,
    resume: bool,
    renewal: Renewal | None = None,
    name: str = "training",
) -> Outcome:
    """Train with a bar on stderr."""
    with progress_bar(console) as bar:
        task = bar.add_task(f"{name}: first batches", total=1.0)

        def show(step: Step) -> None:
            best = "" if step.best is None else f"  best accuracy {step.best.accuracy:.3f}"
            if step.best is not None and step.best.agreement is not None:
                best += f", as the teacher {step.best.agreement:.3f}"
            bar.update(task, completed=step.share, description=f"{name}: step {step.step}  loss {step.loss:.3f}{best}")

        return train(
            parts.training,
            parts.validation,
            plan,
            checkpoint=checkpoint,
            resume=checkpoint if resume and checkpoint.is_file() else None,
            renewal=renewal,
            on_progress=show,
        )
