"""Examples that OpenAPI shows; each is one that the model would take."""

from typing import Any

from pydantic import ConfigDict

MOMENT = "2026-03-01T09:30:00.123000Z"


def example(**members: Any) -> ConfigDict:  # noqa: ANN401 - members of a JSON document
    """Return the configuration of a model with this example."""
    return ConfigDict(json_schema_extra={"examples": [members]})
