"""The typed configuration of the service and the recipes of its products.

Everything a user can set is a field here, with its unit, its default and a sentence; unknown keys are refused.
Words are those of docs/reference/glossary.md; the numbers of the products are derived in the papers' units (px, mm).
"""

from config.schema.recipe import (
    DEFAULT_TEMPLATES,
    Classifier,
    Columns,
    Decision,
    Gates,
    Length,
    Limits,
    Pitch,
    PostProcessing,
    Recipe,
    Rectangle,
    Switch,
    Template,
    Threshold,
    Windows,
    Zone,
)
from config.schema.service import (
    MOST_BATCH,
    MOST_WORKERS,
    Camera,
    Classify,
    Config,
    Lease,
    Restart,
    Results,
    Retention,
    Telemetry,
    View,
    Workers,
)

__all__ = [
    "DEFAULT_TEMPLATES",
    "MOST_BATCH",
    "MOST_WORKERS",
    "Camera",
    "Classifier",
    "Classify",
    "Columns",
    "Config",
    "Decision",
    "Gates",
    "Lease",
    "Length",
    "Limits",
    "Pitch",
    "PostProcessing",
    "Recipe",
    "Rectangle",
    "Restart",
    "Results",
    "Retention",
    "Switch",
    "Telemetry",
    "Template",
    "Threshold",
    "View",
    "Windows",
    "Workers",
    "Zone",
]
