"""Scraping the program, and reading what came."""

from typing import Any

import httpx2
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from app.main import create_app


def client_of(runtime: Any, **headers: str) -> httpx2.AsyncClient:  # noqa: ANN401 - as the app has it
    app = create_app(runtime.settings)
    app.state.runtime = runtime
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://localhost:8000", headers=headers
    )


async def scraped(client: httpx2.AsyncClient) -> dict[str, Metric]:
    """Return what a scrape shows, by name as the catalogue has it."""
    answer = (await client.get("/metrics")).raise_for_status()
    families = text_string_to_metric_families(answer.text)
    return {one.name + ("_total" if one.type == "counter" else ""): one for one in families}


def value(found: dict[str, Metric], name: str, **labels: str) -> float | None:
    """Return the value of one series, None when it is not shown."""
    return next(
        (
            sample.value
            for family in found.values()
            for sample in family.samples
            if (sample.name, sample.labels) == (name, labels)
        ),
        None,
    )
