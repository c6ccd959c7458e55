"""What the lab can be asked for: each order with its options, their defaults and the help that the command line shows.

Nothing here computes, so that the command line knows every option without loading what carries the order out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

_DEVICE = "where it is computed: auto takes a GPU where there is one"
_LEARNT = "folder with manifest.csv, or with crack/ and without_crack/; may be repeated"
_ALL_GROUPS = "of --data judge also the groups that the weights learnt from, by their model card"
_SHIPPED = "weights file, in place of those that ship"
_REPORT = "write one HTML page with plots and pictures"
_FIGURES = "write all figures there; - for stdout"


@dataclass(frozen=True, slots=True)
class TrainDetector:
    """Train the detector's feature network."""

    out: Annotated[Path, Option(help="folder for weights, model card and checkpoint")] = Path("weights")
    data: Annotated[
        tuple[Path, ...], Option(help="folder of photographs and masks of real metal; may be repeated")
    ] = ()
    metal_share: Annotated[
        float, Option(min=0, max=1, help="share of the crops that is of photographs; 1: nothing is simulated")
    ] = 0.25
    minutes: Annotated[float, Option(min=0.01, help="time to train, that before a resume included")] = 30.0
    seed: Annotated[int, Option(min=0, help="of the network, the crops and their order")] = 0
    preset: Annotated[Literal["default", "paper"], Option(help="our recipe, or the paper's SGD")] = "default"
    resolution: Annotated[Literal["half", "full"], Option(help="of the network")] = "half"
    network: Annotated[
        Literal["feature", "unet"], Option(help="what is trained: unet is a U-Net of equal cost, to compare with")
    ] = "feature"
    recipe: Annotated[
        str | None, Option(help="recipe name or file whose templates and pitch the network has; default: as shipped")
    ] = None
    patience: Annotated[
        int, Option(min=1, help="looks at validation crops, two minutes apart, without progress before it ends")
    ] = 10
    resume: Annotated[Path | None, Option(help="checkpoint to go on from, or weights to start from")] = None

    @property
    def checkpoint(self) -> Path:
        """Where the training is kept while it runs."""
        name = "detector" if self.network == "feature" else self.network
        return self.out / f"{name}-{self.resolution}.ckpt"


@dataclass(frozen=True, slots=True)
class TrainClassifier:
    """Train the classifier of crops."""

    out: Annotated[Path, Option(help="folder for weights, model card and exported files")] = Path("weights")
    data: Annotated[tuple[Path, ...], Option(help=_LEARNT)] = ()
    simulated: Annotated[int, Option(min=0, help="crops of simulated sheets of the training products")] = 6000
    network: Annotated[
        Literal["resnet18", "resnet34", "mobilenet_v2", "efficientnet_lite0"], Option(help="what is trained")
    ] = "efficientnet_lite0"
    pretrained: Annotated[
        Path | None,
        Option(
            help="weights to start from, named as torchvision's ImageNet files are; imagenet: those that a package "
            "brings, the default of efficientnet_lite0; scratch: fresh ones, the default of the others"
        ),
    ] = None
    teacher: Annotated[
        Path | None,
        Option(help="weights beside their card whose answers are learnt beside the labels, on new simulated crops"),
    ] = None
    minutes: Annotated[float, Option(min=0.01, help="time of each training, that before a resume included")] = 60.0
    seed: Annotated[int, Option(min=0, help="of the network, the crops and their order")] = 0
    folds: Annotated[int | None, Option(min=2, max=20, help="cross-validate in so many folds, in place of weights")] = (
        None
    )
    leave_out: Annotated[tuple[str, ...], Option(help="set of the manifest that is not trained on: mt")] = ()
    resume: Annotated[bool, Option("--resume", help="go on with the training that --out holds")] = False


@dataclass(frozen=True, slots=True)
class Teach:
    """Teach the detector a product."""

    out: Annotated[Path, Option(help="new folder for the recipe, its weights and the report")]
    images: Annotated[tuple[Path, ...], Argument(help="8 to 30 images of whole sheets that were called good")] = ()
    from_results: Annotated[
        bool, Option("--from-results", help="in place of images: the sheets of plates called OK, of a line of images")
    ] = False
    last: Annotated[int, Option(min=1, help="so many of those sheets, the latest")] = 20
    data: Annotated[
        tuple[Path, ...],
        Option(
            help="marks by `linesentry export crops`: false alarms are good metal, cracks are cracks; may be repeated"
        ),
    ] = ()
    config: Annotated[
        Path | None, Option("--config", "-c", help="configuration of that line; default: the one that ships")
    ] = None
    state: Annotated[Path | None, Option(help="its state directory, in place of the configured one")] = None
    base: Annotated[str, Option(help="recipe name or file to start from")] = "general"
    name: Annotated[str | None, Option(help="name of the new recipe; default: that of the base with -taught")] = None
    minutes: Annotated[float, Option(min=0.1, help="time for all of it, that before a resume included")] = 20.0
    accept_marks: Annotated[
        bool, Option("--accept-marks", help="learn also what stands at one place on most sheets, a fault of the die?")
    ] = False
    bits: Annotated[
        int | None, Option(min=1, max=16, help="significant bits of samples deeper than 8 bit; default: as files say")
    ] = None
    seed: Annotated[int, Option(min=0, help="of what is painted and of the order")] = 0
    steps: Annotated[int | None, Option(min=1, hidden=True, help="train so many steps, whatever the time")] = None


@dataclass(frozen=True, slots=True)
class ExportClassifier:
    """Write the classifier for other programs."""

    weights: Annotated[Path | None, Option(help=_SHIPPED)] = None
    data: Annotated[tuple[Path, ...], Option(help="folder that the weights were trained with; may be repeated")] = ()
    simulated: Annotated[int, Option(min=0, help="crops of simulated sheets, as of the training")] = 6000
    out: Annotated[Path, Option(help="folder for the exported files and their card")] = Path("export")


@dataclass(frozen=True, slots=True)
class EvaluateDetector:
    """Measure the detector on sheets or photographs with their truth."""

    data: Annotated[
        tuple[Path, ...],
        Option(help="folder of sheets by `simulate`, of photographs with manifest.csv, or NAME.png, NAME_mask.png"),
    ] = ()
    simulate: Annotated[
        tuple[str, ...],
        Option(help="make sheets of these products, 02CG,EA10B, or of dies of a family: shaded:0-5,drawn:2"),
    ] = ()
    plates: Annotated[int, Option(min=1, help="sheets of a product or of a die; of a die every second is clean")] = 2
    density: Annotated[int | None, Option(min=0, help="cracks a sheet; default: its maker's")] = None
    seed: Annotated[int | None, Option(min=0, help="the first sheet's; default: the test seeds")] = None
    interference: Annotated[
        tuple[str, ...], Option(help="none, oil, noise, light, or oil+light; each makes the sheets anew")
    ] = ("none",)
    strength: Annotated[float, Option(min=0, help="of the interference; 1 is the reference's")] = 1.0
    enlarge: Annotated[float, Option(min=0.1, max=10, help="enlarge photographs so many times")] = 1.0
    contrast: Annotated[float, Option(min=0.01, max=10, help="multiply the contrast of photographs")] = 1.0
    all_groups: Annotated[bool, Option("--all-groups", help=_ALL_GROUPS)] = False
    polarity: Annotated[
        Literal["bright", "dark", "both"] | None,
        Option(help="how cracks in --data differ from their ground; default: as the manifest says, else measured"),
    ] = None
    recipe: Annotated[str | None, Option(help="recipe name or file; default: the product's own, else general")] = None
    set: Annotated[
        tuple[str, ...], Option("--set", help="override one key of the recipe: polarity=dark, threshold.floor=4")
    ] = ()
    config: Annotated[Path | None, Option("--config", "-c", help="configuration that names the recipe")] = None
    weights: Annotated[Path | None, Option(help="weights file, in place of the recipe's")] = None
    device: Annotated[Literal["auto", "cpu", "cuda"], Option(help=_DEVICE)] = "auto"
    workers: Annotated[int | None, Option(min=1, help="threads; default: one a core")] = None
    at: Annotated[
        float | None,
        Option(
            min=0, max=1, help="least score that counts as found and makes NG; default: 0.5, and the recipe's for NG"
        ),
    ] = None
    compare: Annotated[
        tuple[str, ...],
        Option(
            help="also judge by other ways: published (the rule), gaussian (a line filter), "
            "unet=FILE (weights by `train detector --network unet`)"
        ),
    ] = ()
    report: Annotated[Path | None, Option(help=_REPORT)] = None
    json: Annotated[Path | None, Option("--json", help=_FIGURES)] = None


@dataclass(frozen=True, slots=True)
class MeasurePod:
    """Measure the probability of detection of painted cracks."""

    recipe: Annotated[str, Option(help="recipe name or file; its whole chain is measured")]
    data: Annotated[
        Path | None, Option(help="folder of images of good sheets to paint on; default: simulated sheets")
    ] = None
    real: Annotated[
        Path | None, Option(help="real cracks to compare with: folder as of `evaluate detector --data`, with masks")
    ] = None
    out: Annotated[Path, Option(help="folder for pod.html and pod.json")] = Path("pod")
    cracks: Annotated[
        int, Option(min=60, max=10_000, help="how many are painted, of each form; a third as many narrow ones beside")
    ] = 240
    seed: Annotated[int, Option(min=0, max=1_000_000, help="of the cracks, and of simulated sheets")] = 0
    json: Annotated[bool, Option("--json", help="JSON on stdout, and nothing else there")] = False


@dataclass(frozen=True, slots=True)
class EvaluateClassifier:
    """Measure the classifier on groups that it was not trained on."""

    data: Annotated[tuple[Path, ...], Option(help=_LEARNT)] = ()
    all_groups: Annotated[bool, Option("--all-groups", help=_ALL_GROUPS)] = False
    simulated: Annotated[int, Option(min=0, help="crops of simulated sheets of the test products")] = 480
    weights: Annotated[
        tuple[Path, ...],
        Option(help=f"{_SHIPPED}; repeated: side by side, on the groups that none of them learnt from"),
    ] = ()
    views: Annotated[
        tuple[str, ...], Option(help="of the test-time augmentation; with commas between them, or repeated")
    ] = ("identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5")
    device: Annotated[Literal["auto", "cpu", "cuda"], Option(help=_DEVICE)] = "auto"
    report: Annotated[Path | None, Option(help=_REPORT)] = None
    json: Annotated[Path | None, Option("--json", help=_FIGURES)] = None


@dataclass(frozen=True, slots=True)
class CutCrops:
    """Cut crops for the classifier from sheets whose truth is known."""

    out: Annotated[Path, Argument(help="folder to write to")]
    data: Annotated[
        tuple[Path, ...],
        Option(help="folder of sheets by `simulate`, or of images NAME.png with NAME_mask.png; may be repeated"),
    ] = ()
    simulate: Annotated[tuple[str, ...], Option(help="make sheets of these products: P10B,U20B")] = ()
    plates: Annotated[int, Option(min=1, help="sheets of a product")] = 2
    seed: Annotated[int | None, Option(min=0, help="the first sheet's; default: the reference's test seeds")] = None
    each: Annotated[int, Option(min=2, help="crops of a sheet, half of them with a crack as far as it has any")] = 40


@dataclass(frozen=True, slots=True)
class ShowTemplates:
    """Show templates: a recipe's, or those of a scale set of one's own."""

    config: Annotated[Path | None, Option("--config", "-c", help="configuration file; default: the one that ships")] = (
        None
    )
    recipe: Annotated[str | None, Option(help="recipe name or file; default: the one the configuration names")] = None
    widest: Annotated[float | None, Option(help="a scale set of your own: the widest line, px")] = None
    least: Annotated[float | None, Option(help="its narrowest line, px")] = None
    height: Annotated[float | None, Option(help="height of the widest line, grey levels")] = None
    step: Annotated[float | None, Option(help="difference of its two ends, grey levels")] = None
    strict: Annotated[bool, Option("--strict", help="halve by the stop rule's letter: 21, 10.5")] = False
    printed: Annotated[bool, Option("--printed", help="widths as the paper prints them, for 21, 11, 7")] = False
    json: Annotated[bool, Option("--json", help="JSON on stdout, and nothing else there")] = False
    plot: Annotated[Path | None, Option(help="draw them into FILE.png, .svg or .pdf")] = None


@dataclass(frozen=True, slots=True)
class RunStudy:
    """Run the experiments of the paper, as far as they are missing."""

    only: Annotated[
        str | None, Option(help="cells that fit the pattern: table2, 'table4/patches_*', table2/ours/0")
    ] = None
    scale: Annotated[Literal["small", "full"], Option(help="sheets of 3,300 rows, or whole ones")] = "small"
    minutes: Annotated[
        float | None,
        Option("--minutes-a-cell", min=0.01, max=60, help="training time of a cell, one thread; 4 where none is kept"),
    ] = None
    seeds: Annotated[int, Option(min=1, help="trainings of each trained cell")] = 1
    list: Annotated[bool, Option("--list", help="say which cells are done, and run none")] = False
    render: Annotated[bool, Option("--render", help="write the tables beside the JSON file, and run none")] = False
    file: Annotated[Path, Option(help="where the figures are kept")] = Path("docs/study.json")
