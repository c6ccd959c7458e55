"""The command line, `linesentry COMMAND`: its commands and the entry of the program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from daemon.cli.archive import archive
from daemon.cli.backup import backup
from daemon.cli.bench import bench
from daemon.cli.calibrate import calibrate
from daemon.cli.camera import camera
from daemon.cli.check import check
from daemon.cli.classify import classify
from daemon.cli.crops import crops
from daemon.cli.doctor import doctor
from daemon.cli.evaluate import evaluate
from daemon.cli.export import export
from daemon.cli.golden import golden
from daemon.cli.inspect import inspect
from daemon.cli.mark import mark
from daemon.cli.paths import paths
from daemon.cli.pod import pod
from daemon.cli.reinspect import reinspect
from daemon.cli.reload import reload
from daemon.cli.report import report
from daemon.cli.results import results
from daemon.cli.run import run
from daemon.cli.schema import schema
from daemon.cli.show import show
from daemon.cli.simulate import simulate
from daemon.cli.simulate_faults import simulate_faults
from daemon.cli.study import study
from daemon.cli.surroundings import forget_unwritten, prepare, what_is_lacking
from daemon.cli.teach import teach
from daemon.cli.templates import templates
from daemon.cli.torture import torture
from daemon.cli.train import train
from daemon.cli.user import user

_COMMANDS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Line: run the service and look at it": (
        run,
        reload,
        results,
        show,
        mark,
        report,
        archive,
        backup,
        check,
        doctor,
        bench,
        simulate_faults,
        torture,
        schema,
        paths,
    ),
    "Screen: who may see it": (user,),
    "Camera: look at it, calibrate it, check it": (camera, calibrate, golden),
    "Files: inspect images, and make some": (inspect, reinspect, classify, simulate),
    "Models: train, measure and explain them": (teach, train, evaluate, pod, export, crops, templates, study),
}
"""By who needs them."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for _panel, _members in _COMMANDS.items():
    for _command in _members:
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, rich_help_panel=_panel)
        else:
            app.command(rich_help_panel=_panel)(_command)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - commands load what they need

        typer.echo(f"linesentry {version('linesentry')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which version this is, and end")
    ] = False,
) -> None:
    """Inspects sheets that roll past a line-scan camera: rows in, one verdict per sheet out."""
    del version


def main() -> None:
    """Entry of the command `linesentry`: what the surroundings lack is said in a line, and no traceback."""
    try:
        prepare()
        try:
            app(prog_name="linesentry")
        finally:
            sys.stdout.flush()
    except Exception as error:
        why = what_is_lacking(error)
        if why is None:
            raise
        if why:
            with suppress(OSError):
                typer.echo(f"linesentry: {why}", err=True)
        forget_unwritten()
        sys.exit(1)


if __name__ == "__main__":
    main()
