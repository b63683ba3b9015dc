"""`outbox`: the events that wait to be published, over REST."""

from app.cli.ask import HERE, ApiKey, Limit, Url, ask
from app.cli.figures import age
from app.cli.say import AsJson, as_json, page


def outbox(
    limit: Limit = 50,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """List the events that wait to be published, the oldest first.

    Example: `outbox --limit 10`
    """
    body = ask(url, api_key, "GET", "/v1/ops/outbox", params={"limit": limit})
    if not as_json():
        body["items"] = [one | {"age": age(one["age_s"])} for one in body["items"]]
    columns = ["event_id", "type", "subject", "correlation_id", "age"]
    page(body, columns, "Nothing waits: every event is published.")
