"""What is wrong with the outputs of a configuration beside the rest of it."""

from __future__ import annotations

from config.schema import Config


def output_faults(config: Config) -> list[tuple[str, str]]:
    """Key and message of each fault: an output that waits for its network must not look as if it hung."""
    longest = config.restart.hang_s / 3
    return [
        (
            f"outputs.{protocol}[{index}].timeout_s",
            f"found {output.timeout_s:g}, allowed: up to {longest:g}, a third of restart.hang_s: else it looks hung",
        )
        for protocol in type(config.outputs).model_fields
        for index, output in enumerate(getattr(config.outputs, protocol))
        if output.timeout_s > longest
    ]
