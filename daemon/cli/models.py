"""The commands about the models: what trains, measures and draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

train = typer.Typer(no_args_is_help=True, help="Train the weights that ship.")
evaluate = typer.Typer(no_args_is_help=True, help="Measure how good the models are.")
export = typer.Typer(no_args_is_help=True, help="Write weights for other programs.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(train, name="train")
    app.add_typer(evaluate, name="evaluate")
    app.add_typer(export, name="export")
    app.command("classify")(classify)
    app.command("crops")(crops)
    app.command("templates")(templates)
    app.command("study")(study)


@train.command("detector")
def train_detector(
    out: Annotated[Path, typer.Option(help="directory for weights and model card")] = Path("weights"),
    data: Annotated[
        list[Path] | None, typer.Option(help="directory of photographs and masks of real metal; may be repeated")
    ] = None,
    metal_share: Annotated[
        float, typer.Option(min=0, max=1, help="share of the crops that is of photographs; 1: nothing is simulated")
    ] = 0.25,
    minutes: Annotated[float, typer.Option(min=0.01, help="time to train")] = 30.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preset: Annotated[Literal["default", "paper"], typer.Option(help="our recipe, or the paper's SGD")] = "default",
    resolution: Annotated[Literal["half", "full"], typer.Option(help="of the network")] = "half",
    recipe: Annotated[
        str | None,
        typer.Option(help="recipe name or file whose templates and pitch the network has; default: as shipped"),
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="looks at validation crops, two minutes apart, without progress before it ends")
    ] = 10,
    resume: Annotated[Path | None, typer.Option(help="checkpoint to go on from, or weights to start from")] = None,
) -> None:
    """Train the detector's feature network on simulated crops and, with --data, on real metal."""
    from daemon.lab.train.detector import Order, train_detector_command  # noqa: PLC0415

    train_detector_command(
        Order(
            out=out,
            data=tuple(data or ()),
            metal_share=metal_share,
            minutes=minutes,
            seed=seed,
            preset=preset,
            resolution=resolution,
            recipe=recipe,
            patience=patience,
            resume=resume,
        )
    )


@train.command("classifier")
def train_classifier(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="folder with manifest.csv, or with crack/ and without_crack/; may be repeated"),
    ] = None,
    out: Annotated[Path, typer.Option(help="directory for weights, model card and exported files")] = Path("weights"),
    simulated: Annotated[int, typer.Option(min=0, help="crops of simulated sheets of the training products")] = 6000,
    network: Annotated[
        Literal["resnet18", "resnet34", "mobilenet_v2", "efficientnet_lite0"], typer.Option(help="what is trained")
    ] = "efficientnet_lite0",
    pretrained: Annotated[
        Path | None,
        typer.Option(
            help="weights to start from, named as torchvision's ImageNet files are; imagenet: those that a package "
            "brings, the default of efficientnet_lite0; scratch: fresh ones, the default of the others"
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="time of each training")] = 60.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    folds: Annotated[
        int | None, typer.Option(min=2, max=20, help="cross-validate in so many folds, in place of weights")
    ] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="set of the manifest that is not trained on: mt")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the training that --out holds")] = False,
) -> None:
    """Train the classifier of crops on photographs and on crops of simulated sheets."""
    from daemon.lab.train.classifier import Order, train_classifier_command  # noqa: PLC0415

    train_classifier_command(
        Order(
            out=out,
            data=tuple(data or ()),
            simulated=simulated,
            network=network,
            pretrained=pretrained,
            minutes=minutes,
            seed=seed,
            folds=folds,
            left_out=tuple(leave_out or ()),
            resume=resume,
        )
    )


@evaluate.command("detector")
def evaluate_detector(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="folder of sheets by `simulate`, of photographs with manifest.csv, or NAME.png, NAME_mask.png"
        ),
    ] = None,
    simulate: Annotated[list[str] | None, typer.Option(help="make sheets of these products: 02CG,EA10B")] = None,
    plates: Annotated[int, typer.Option(min=1, help="sheets of a product")] = 2,
    density: Annotated[int | None, typer.Option(min=0, help="cracks a sheet; default: the reference's")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="the first sheet's; default: the reference's test seeds")
    ] = None,
    interference: Annotated[
        list[str] | None, typer.Option(help="none, oil, noise, light, or oil+light; each makes the sheets anew")
    ] = None,
    strength: Annotated[float, typer.Option(min=0, help="of the interference; 1 is the reference's")] = 1.0,
    enlarge: Annotated[float, typer.Option(min=0.1, max=10, help="enlarge photographs so many times")] = 1.0,
    contrast: Annotated[float, typer.Option(min=0.01, max=10, help="multiply the contrast of photographs")] = 1.0,
    all_groups: Annotated[
        bool,
        typer.Option(
            "--all-groups",
            help="of --data also the groups that `train detector --data` learns from; for a folder never trained on",
        ),
    ] = False,
    recipe: Annotated[
        str | None, typer.Option(help="recipe name or file; default: the product's own, else general")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="configuration that names the recipe")] = None,
    weights: Annotated[Path | None, typer.Option(help="weights file, in place of the recipe's")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="where the detector runs")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="threads; default: one a core")] = None,
    at: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="least score that counts as found and makes NG; default: 0.5, and the recipe's for NG"
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="write one HTML page with curves and pictures")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="write all figures there; - for stdout")] = None,
) -> None:
    """Measure recall, precision and false alarms of the detector, on sheets or photographs with their truth."""
    from daemon.lab.evaluate.detector import Options, evaluate_command  # noqa: PLC0415

    options = Options(
        data=data or (),
        simulate=simulate or (),
        plates=plates,
        density=density,
        seed=seed,
        interference=interference or ("none",),
        strength=strength,
        enlarge=enlarge,
        contrast=contrast,
        all_groups=all_groups,
        recipe=recipe,
        config=config,
        weights=weights,
        device=device,
        workers=workers,
        at=at,
        report=report,
        json=json_,
    )
    raise typer.Exit(evaluate_command(options))


@evaluate.command("classifier")
def evaluate_classifier(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="folder with manifest.csv, or with crack/ and without_crack/; may be repeated"),
    ] = None,
    simulated: Annotated[int, typer.Option(min=0, help="crops of simulated sheets of the test products")] = 480,
    weights: Annotated[Path | None, typer.Option(help="weights file, in place of those that ship")] = None,
    views: Annotated[
        str, typer.Option(help="of the test-time augmentation, with commas between them")
    ] = "identity,flip_horizontal,flip_vertical,rotate_-5,rotate_+5",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="where the classifier runs")] = "auto",
    report: Annotated[Path | None, typer.Option(help="write one HTML page with plots and pictures")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="write all figures there; - for stdout")] = None,
) -> None:
    """Measure the classifier on groups it was not trained on: figures by source, calibration, folds, latency."""
    from daemon.lab.evaluate.classifier import Options, evaluate_classifier_command  # noqa: PLC0415

    options = Options(
        data=data or (),
        simulated=simulated,
        weights=weights,
        views=tuple(part.strip() for part in views.split(",") if part.strip()),
        device=device,
        report=report,
        json=json_,
    )
    raise typer.Exit(evaluate_classifier_command(options))


@export.command("classifier")
def export_classifier(
    weights: Annotated[Path | None, typer.Option(help="weights file, in place of those that ship")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="folder that the weights were trained with; may be repeated")
    ] = None,
    simulated: Annotated[int, typer.Option(min=0, help="crops of simulated sheets, as of the training")] = 6000,
    out: Annotated[Path, typer.Option(help="directory for the exported files and their card")] = Path("export"),
) -> None:
    """Write the classifier as TorchScript and ONNX, compared with its weights on what they were chosen by."""
    from daemon.lab.train.classifier import export_classifier_command  # noqa: PLC0415

    export_classifier_command(weights, data or (), simulated, out)


def classify(
    images: Annotated[list[Path], typer.Argument(help="image files, each a crop or a photograph as a whole")],
    json_: Annotated[bool, typer.Option("--json", help="one JSON object a line, and nothing else on stdout")] = False,
    explain: Annotated[
        Path | None, typer.Option(help="write each picture there, coloured by where evidence was seen")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="weights file, in place of those that ship")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="where the classifier runs")] = "auto",
) -> None:
    """Say of each image how likely it shows a crack."""
    from daemon.cli.classify import classify_command  # noqa: PLC0415

    raise typer.Exit(classify_command(images, json_lines=json_, explain=explain, weights=weights, device=device))


def crops(
    out: Annotated[Path, typer.Argument(help="folder to write to")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="folder of sheets by `simulate`, or of images NAME.png with NAME_mask.png; may be repeated"),
    ] = None,
    simulate: Annotated[list[str] | None, typer.Option(help="make sheets of these products: P10B,U20B")] = None,
    plates: Annotated[int, typer.Option(min=1, help="sheets of a product")] = 2,
    seed: Annotated[
        int | None, typer.Option(min=0, help="the first sheet's; default: the reference's test seeds")
    ] = None,
    each: Annotated[int, typer.Option(min=2, help="crops of a sheet, half of them with a crack")] = 40,
) -> None:
    """Cut crops with and without a crack from sheets whose truth is known, for the classifier to train on."""
    from daemon.lab.data.crops import Order, crops_command  # noqa: PLC0415

    raise typer.Exit(crops_command(Order(out, data or (), simulate or (), plates, seed, each)))


def templates(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="configuration file; default: the one that ships")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="recipe name or file; default: the one the configuration names")
    ] = None,
    widest: Annotated[float | None, typer.Option(help="a scale set of your own: the widest line, px")] = None,
    least: Annotated[float | None, typer.Option(help="its narrowest line, px")] = None,
    height: Annotated[float | None, typer.Option(help="height of the widest line, grey levels")] = None,
    step: Annotated[float | None, typer.Option(help="difference of its two ends, grey levels")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="halve by the stop rule's letter: 21, 10.5")] = False,
    printed: Annotated[bool, typer.Option("--printed", help="widths as the paper prints them, for 21, 11, 7")] = False,
    json_: Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there")] = False,
    plot: Annotated[Path | None, typer.Option(help="draw them into FILE.png, .svg or .pdf")] = None,
) -> None:
    """Show the templates of a recipe or of a scale set: coefficients, widths they answer for, and k*."""
    from daemon.lab.templates import templates_command  # noqa: PLC0415

    templates_command(
        config,
        recipe,
        own=(widest, least, height, step),
        strict=strict,
        printed=printed,
        json_output=json_,
        plot=plot,
    )


def study(
    only: Annotated[
        str | None, typer.Option(help="cells that fit the pattern: table2, 'table4/patches_*', table2/ours/0")
    ] = None,
    scale: Annotated[Literal["small", "full"], typer.Option(help="sheets of 3,300 rows, or whole ones")] = "small",
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes-a-cell", min=0.01, max=60, help="training time of a cell, one thread; 4 where none is kept"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="trainings of each trained cell")] = 1,
    list_: Annotated[bool, typer.Option("--list", help="say which cells are done, and run none")] = False,
    render: Annotated[
        bool, typer.Option("--render", help="write the tables beside the JSON file, and run none")
    ] = False,
    file: Annotated[Path, typer.Option(help="where the figures are kept")] = Path("docs/study.json"),
) -> None:
    """Run the experiments of the paper on simulated sheets of products never trained on, as far as they are missing."""
    from daemon.lab.study.run import study_command  # noqa: PLC0415

    study_command(file, only=only, scale=scale, minutes=minutes, seeds=seeds, list_=list_, render=render)
