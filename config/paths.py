"""Where the files lie that ship beside the program."""

from __future__ import annotations

from pathlib import Path

from config.load import shipped
from config.weights import SHIPPED


def packaged() -> dict[str, Path]:
    """Files and folders of the installed package by their names on the command line, for `linesentry paths`."""
    return {
        "unit": shipped("systemd", "linesentry.service"),
        "prometheus": shipped("prometheus", "prometheus.yml"),
        "rules": shipped("prometheus", "rules.yml"),
        "alertmanager": shipped("prometheus", "alertmanager.yml"),
        "dashboard": shipped("grafana", "linesentry.json"),
        "configuration": shipped("default.yaml"),
        "recipes": shipped("recipes"),
        "schema": shipped("schema.json"),
        "recipe-schema": shipped("recipe.schema.json"),
        "weights": SHIPPED,
    }
