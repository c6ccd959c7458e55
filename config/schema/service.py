"""The configuration of one service: its camera, its processes, its results, its telemetry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from config.schema.archive import Archive
from config.schema.outputs import Outputs
from config.schema.section import Strict
from config.schema.shifts import PATTERN as SHIFT
from config.schema.switch import CameraSwitch
from config.schema.web import Web

MOST_WORKERS = 64
"""Workers for which the plate memory has a board."""
MOST_RECIPES = 32
"""Recipes that are loaded beside the one of the start."""
MOST_BATCH = 64
"""Crops that a GPU computes at once, at most."""

_DAY_S = 86_400
"""Seconds: nothing here is waited for any longer."""
_MOST_ROWS = 1_000_000_000
"""Whether there is the memory for so many is another question (daemon/service/preflight.py)."""
REPLAYS = ("simulator", "folder")
"""Cameras that show sheets which were made or stored before."""
DEVICES = ("gentl", "pylon", "aravis")
"""Cameras with a driver, whose features are set by their names."""
_CAMERAS = (*REPLAYS, *DEVICES)
_FEATURE = r"[A-Za-z_][A-Za-z0-9_]*(\[[A-Za-z0-9_]+\])?"
_OWN_KEYS = {"Width": "camera.width", "Height": "camera.strip_rows", "AcquisitionLineRate": "camera.line_rate_hz"}
"""Features that have a key of their own."""
_OWN_CAMERA = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*"


class Camera(Strict):
    """The line-scan camera, or one that replays sheets or images."""

    source: str = Field(
        "simulator",
        description="simulator: sheets made by the simulator; folder: image files. gentl: a GenICam camera or frame "
        "grabber by its maker's producer; pylon: Basler's cameras; aravis: GigE Vision cameras without a driver "
        "(docs/how-to/genicam-camera.md). Or a camera of your "
        "own as module:Class (docs/how-to/add-a-camera.md)",
        json_schema_extra={"anyOf": [{"enum": [*_CAMERAS]}, {"pattern": f"^{_OWN_CAMERA}$"}]},
    )
    folder: Path | None = Field(
        None,
        description="images to replay, in natural order: 2.png before 10.png; each is a sheet "
        "(docs/how-to/read-results.md)",
    )
    bits: int | None = Field(
        None,
        ge=1,
        le=16,
        description="significant bits of a folder's samples deeper than 8 bit; null: as each file says",
    )
    producer: Path | None = Field(
        None, description="gentl: the .cti file of the maker of the camera or frame grabber; no other one is loaded"
    )
    interface: str | None = Field(
        None,
        description="gentl: the one interface of the producer that is asked for devices; null: all of them. pylon: the "
        "class of devices that is searched: BaslerGigE, BaslerUsb, BaslerCamEmu (the emulator)",
    )
    device: str | None = Field(
        None,
        description="which device: its serial number, id or name; aravis: its address; a camera of your own "
        "takes what it likes. null: the only one",
    )
    feature_file: Path | None = Field(
        None,
        description="gentl, pylon, aravis: features as the maker's viewer saved them in GenApi's form (Basler's .pfs), "
        "set before camera.features",
    )
    features: dict[str, bool | int | float | str] = Field(
        {},
        description="gentl, pylon, aravis: features that are set, by their SFNC names and in this order, as "
        "ExposureTime: 20; Name[Entry] sets the selector first, as TriggerMode[LineStart]: On",
    )
    switch_feature: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="gentl, pylon, aravis: the feature that says whether the photoelectric switch sees a sheet, as "
        "LineStatus, or one that comes with each strip, as ChunkLineStatusAll",
    )
    switch_bit: int | None = Field(
        None,
        ge=0,
        le=63,
        description="gentl, pylon, aravis: bit of switch_feature where that is a number; null: it is true or false",
    )
    switch: CameraSwitch = CameraSwitch()
    width: int = Field(16384, ge=1, le=1_000_000, description="pixels of a row")
    strip_rows: int = Field(512, ge=2, le=_MOST_ROWS, description="rows of a strip as the camera delivers it")
    buffers: int = Field(8, ge=2, le=_MOST_ROWS, description="strip buffers between camera and acquisition")
    line_rate_hz: float | None = Field(
        None, gt=0, le=10_000_000, description="rows a second; null: a replay goes as fast as it is taken"
    )
    gap_rows: int = Field(600, ge=8, le=_MOST_ROWS, description="rows between two sheets of a replay")
    flat_field: Path | None = Field(
        None,
        description="file of `linesentry calibrate flat-field` that evens out the columns; null: rows are left as they "
        "are",
    )

    @property
    def waits(self) -> bool:
        """The camera is a replay as fast as it is taken; any other delivers whether its strips are taken or not."""
        return self.source in REPLAYS and self.line_rate_hz is None

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        if source not in _CAMERAS and not re.fullmatch(_OWN_CAMERA, source):
            raise ValueError(f"{source!r} is no camera; allowed: {', '.join(_CAMERAS)}, or module:Class of your own")
        return source

    @model_validator(mode="after")
    def _folder_given(self) -> Camera:
        if self.source == "folder" and self.folder is None:
            raise ValueError("source is folder, but folder names no directory of images")
        return self

    @model_validator(mode="after")
    def _producer_given(self) -> Camera:
        if self.source == "gentl" and self.producer is None:
            raise ValueError("source is gentl, but producer names no .cti file of the camera's maker")
        if self.source == "pylon" and self.interface is None:
            raise ValueError("source is pylon, but interface says not where to search: BaslerGigE, BaslerUsb, ...")
        if self.source == "aravis" and self.device is None:
            raise ValueError("source is aravis, but device names no address of the camera, as 192.168.1.20")
        return self

    @model_validator(mode="after")
    def _one_switch(self) -> Camera:
        source = self.switch.source
        if source != "camera" and self.switch_feature is not None:
            raise ValueError(f"switch.source is {source}, and switch_feature ({self.switch_feature}) is another switch")
        if source != "camera" and self.source == "folder":
            raise ValueError(f"switch.source is {source}, but the images of a folder are sheets by themselves")
        if self.switch.timed and self.waits:
            raise ValueError(f"switch.source is {source}, which knows no rows but times: line_rate_hz must be set")
        return self

    @field_validator("features")
    @classmethod
    def _plain_features(cls, features: dict[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
        for name in features:
            if not re.fullmatch(_FEATURE, name):
                raise ValueError(f"{name!r} is no name of a feature; allowed: Name, or Name[Entry of its selector]")
            if name in _OWN_KEYS:
                raise ValueError(f"{name} has a key of its own: {_OWN_KEYS[name]}")
        return features


class Ageing(Strict):
    """Slow faults of the optics that the simulated camera shows, to see the alarms fire."""

    after: int = Field(0, ge=0, le=1_000_000, description="sheets that pass before any of it begins")
    light: float = Field(0.0, ge=-1, le=1, description="share of the light that is lost with each sheet")
    uneven: float = Field(0.0, ge=0, le=1, description="share of the light that is lost at the camera's last column")
    dust_column: int | None = Field(
        None, ge=0, le=1_000_000, description="first of 6 camera columns that dust shades; null: no dust"
    )
    dust: float = Field(0.15, ge=0, le=1, description="share of the light that the dust takes")
    defocus: float = Field(
        0.0, ge=0, le=10, description="px by which the blur (sigma of a Gaussian) grows with each sheet"
    )


class Simulator(Strict):
    """The sheets that the simulated camera replays."""

    seed: int = Field(1, ge=0, le=2**62, description="the first sheet's seed; the same seed makes the same sheet")
    sheets: int = Field(3, ge=1, le=1_000_000, description="different sheets that are made; they come round again")
    density: int | None = Field(
        None, ge=0, le=10_000, description="microcracks a sheet, mean; null: simulator/sheets/reference.yaml"
    )
    interference: tuple[Literal["oil", "noise", "light"], ...] = Field((), description="disturbances on every sheet")
    strength: float = Field(
        1.0, ge=0, le=100, description="1 is the default strength of simulator/sheets/reference.yaml"
    )
    ageing: Ageing = Ageing()


class Workers(Strict):
    """The processes that run the detector."""

    count: int | None = Field(
        None,
        ge=1,
        le=MOST_WORKERS,
        description="null: one for each CPU core that may be used, quotas of control groups counted, or one for a GPU",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor has it"
    )


View = Literal["identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5"]
"""A view of a crop (C 26)."""


class Classify(Strict):
    """The process that runs the classifier, where the recipe's classifier.mode is not off."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor has it"
    )
    network: Literal["efficientnet_lite0", "resnet18"] | None = Field(
        None,
        description="network of the weights that ship; null: efficientnet_lite0. Weights of one's own say theirs: then "
        "it stays null",
    )
    weights: Path | None = Field(None, description="weights file beside its card; null: the weights that ship")
    views: tuple[View, ...] = Field(
        ("identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5"),
        min_length=1,
        description="views of each crop, whose answers are averaged; where the first is sure, the others are not asked",
    )
    batch: int | None = Field(
        None,
        ge=1,
        le=MOST_BATCH,
        description="crops that a GPU computes at once, of several windows; null: 16. A CPU is no faster with several "
        "and always takes one",
    )

    @model_validator(mode="after")
    def _one_of_network_and_weights(self) -> Classify:
        if self.network is not None and self.weights is not None:
            raise ValueError(
                f"network ({self.network}) names weights that ship, and weights ({self.weights}) are others, whose "
                "card says their network: keep one of the two"
            )
        return self

    @model_validator(mode="after")
    def _views_once(self) -> Classify:
        for view in self.views:
            if self.views.count(view) > 1:
                raise ValueError(f"views names {view} twice, which would count twice in the average: keep one")
        return self


class Lease(Strict):
    """How long a worker may take for a lease of windows before another gets it too."""

    least_s: float = Field(5.0, gt=0, le=_DAY_S, description="shortest deadline")
    factor: float = Field(10.0, gt=1, le=1_000_000, description="deadline as a multiple of the running p99")


class Restart(Strict):
    """How often a process may die before its role counts as lost."""

    budget: int = Field(
        10, ge=1, le=1_000_000, description="restarts of a process, on average over its role, that are not forgiven"
    )
    period_s: float = Field(60.0, gt=0, le=_DAY_S, description="seconds of work after which a restart is forgiven")
    backoff_s: float = Field(
        0.2,
        ge=0,
        le=_DAY_S,
        description="pause before the first restart; doubles with each further one, up to period_s / (4 budget)",
    )
    heartbeat_s: float = Field(1.0, gt=0, le=_DAY_S, description="seconds between the heartbeats of a process")
    hang_s: float = Field(15.0, gt=0, le=_DAY_S, description="a process silent for so long is killed and restarted")
    start_s: float = Field(60.0, gt=0, le=_DAY_S, description="seconds a process may take to start")


class Retention(Strict):
    """How long results and pictures are kept."""

    days: float | None = Field(
        90.0, gt=0, le=36_500, description="days of running after which a plate is deleted; null: never"
    )
    most_gb: float | None = Field(
        20.0, gt=0, le=1_000_000, description="pictures beyond this size are deleted, oldest first; null: never"
    )


class Results(Strict):
    """The results database and the pictures kept as evidence."""

    pictures: bool = Field(True, description="write an overview of each plate and a crop of each defect")
    overview_px: int = Field(1600, ge=1, le=30_000, description="longest side of an overview picture")
    crops: int = Field(50, ge=0, le=100_000, description="most crops of defects written for one plate, the worst first")
    retention: Retention = Retention()


class Store(Strict):
    """Where the results database is."""

    url: str | None = Field(
        None,
        max_length=1000,
        pattern=r"^postgresql://[!-~]+$",
        description="a server of PostgreSQL, postgresql://USER@HOST/DATABASE; the password belongs into PGPASSFILE. "
        "null: a file of SQLite in the state directory",
    )

    @field_validator("url")
    @classmethod
    def _no_secret(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).password is not None or "password=" in url.lower()):
            raise ValueError("leave the password out: it belongs into the file that PGPASSFILE names, or ~/.pgpass")
        return url


class Golden(Strict):
    """The check standard: a golden sheet that passes the line now and then (docs/how-to/golden.md)."""

    every_h: float | None = Field(
        None,
        gt=0,
        le=8760,
        description="hours for which a check holds: without one that passed, no plate is OK (check overdue); null: "
        "checks change no verdict",
    )
    part_id: str = Field(
        "GOLDEN",
        pattern=r"^[!-~]([ -~]{0,30}[!-~])?$",
        description="part id by which a PLC names the golden sheet: it is checked as it passes, and is INCONCLUSIVE "
        "(golden sheet) instead of a product's verdict",
    )


class OpticsLimits(Strict):
    """From which change of the optics on there is an alarm; no verdict depends on it."""

    plates: int = Field(
        20, ge=1, le=10_000, description="plates whose mean is the reference, and over which the present mean runs"
    )
    light: float = Field(0.1, gt=0, le=1, description="share of the light that may be lost, or gained")
    uneven: float = Field(
        0.1, gt=0, le=1, description="share by which the light of some columns may change against that of others"
    )
    dust: float = Field(0.03, gt=0, le=1, description="share of the light that a few columns may lose")
    focus: float = Field(0.25, gt=0, le=1, description="share of the focus that may be lost")
    length: float = Field(
        0.005, gt=0, le=1, description="share by which the mean length may differ from the recipe's nominal length"
    )


class Telemetry(Strict):
    """Logs and metrics."""

    host: str = Field("127.0.0.1", min_length=1, description="address of /metrics and /healthz")
    port: int = Field(9464, ge=0, le=65535, description="0: any free port")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")


class Config(Strict):
    """The whole configuration of one service."""

    recipe: str = Field("P10B", description="name of a recipe that ships, or a path to a recipe file")
    recipes: tuple[str, ...] = Field(
        (),
        max_length=MOST_RECIPES,
        description="further recipes that are loaded, named likewise: `linesentry reload --recipe NAME` changes to one "
        "between two plates (docs/how-to/change-a-recipe.md)",
    )
    batch_id: str | None = Field(None, max_length=64, description="batch of material, stored with each plate")
    shifts: dict[str, Annotated[str, StringConstraints(pattern=SHIFT)]] = Field(
        {},
        max_length=24,
        description="names for parts of the day, for `linesentry results --shift NAME`, by this machine's clock: "
        '{early: "06:00-14:00", night: "22:00-06:00"}',
    )
    state_directory: Path | None = Field(None, description="null: $STATE_DIRECTORY, or the user's state directory")
    camera: Camera = Camera()
    simulator: Simulator = Simulator()
    slots: int = Field(3, ge=2, le=1_000_000, description="plates that the plate memory holds")
    overload: Literal["wait", "skip"] = Field("wait", description="when no slot is free at a leading edge")
    workers: Workers = Workers()
    classify: Classify = Classify()
    lease: Lease = Lease()
    restart: Restart = Restart()
    drain_s: float = Field(30.0, ge=0, le=_DAY_S, description="seconds to finish the plates in flight at a stop")
    store: Store = Store()
    results: Results = Results()
    archive: Archive = Archive()
    optics: OpticsLimits = OpticsLimits()
    golden: Golden = Golden()
    outputs: Outputs = Outputs()
    web: Web = Web()
    telemetry: Telemetry = Telemetry()
