"""Conditional requests: versions as entity tags."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Request, Response

from app.web.conditional import IfMatchDep, PutConditionDep, etag, not_modified, parsed_if_match
from tests.web.sample import Process, build, problem_of, settings

router = APIRouter(prefix="/versions")


@router.get("/{version}")
async def one(version: int, request: Request) -> Response:
    """Show a version, unless the client has it."""
    same = not_modified(request, version)
    return same if same is not None else Response("shown", headers={"ETag": etag(version)})


@router.post("/{version}")
async def change(version: int, allowed: IfMatchDep) -> bool:
    """Tell whether this version may be changed."""
    return allowed is None or version in allowed


@router.put("/{version}")
async def put(version: int, condition: PutConditionDep) -> str:
    """Tell what a PUT may do where version is; 0 is nothing yet."""
    if condition.replacing is not None:
        return "replaced" if version in condition.replacing else "refused"
    condition.check(created=version == 0)
    return "created" if version == 0 else "replaced"


def client_of(process: Process) -> httpx2.AsyncClient:
    app = build(process)
    app.include_router(router)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://localhost:8000"
    )


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, None),
        ('"7"', {7}),
        (' "7" , "8" ', {7, 8}),
        ('W/"7"', set()),
        ('W/"7", "8"', {8}),
        ('"07"', set()),
        ('"x"', set()),
        ("7", set()),
        ('"7" "8"', set()),
        ("", set()),
        (f'"{10**19}"', set()),
    ],
)
def test_if_match_names_versions(header: str | None, versions: Collection[int] | None) -> None:
    found = parsed_if_match(header)

    assert (found if found is None else set(found)) == versions


def test_a_star_matches_every_version() -> None:
    allowed = parsed_if_match(" * ")

    assert allowed is not None
    assert 1 in allowed
    assert 2**62 in allowed
    assert 0 not in allowed


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 200),
        ('"7"', 304),
        ('W/"7"', 304),
        ('"6", "7"', 304),
        ("*", 304),
        ('"6"', 200),
        ("7", 200),
        ('"7', 200),
    ],
)
async def test_what_a_client_has_is_not_sent_again(
    process: Process, header: str | None, status: int
) -> None:
    headers = {} if header is None else {"if-none-match": header}
    async with client_of(process) as client:
        response = await client.get("/versions/7", headers=headers)

    assert response.status_code == status
    assert response.headers["etag"] == '"7"'
    assert response.text == ("shown" if status == HTTPStatus.OK else "")


@pytest.mark.parametrize(
    ("headers", "version", "outcome"),
    [
        ({}, 0, "created"),
        ({}, 3, "replaced"),
        ({"if-match": '"3"'}, 3, "replaced"),
        ({"if-match": '"2"'}, 3, "refused"),
        ({"if-match": "*"}, 0, "refused"),
        ({"if-none-match": "*"}, 0, "created"),
        ({"if-none-match": "*"}, 3, "precondition_failed"),
        ({"if-none-match": '"3"'}, 3, "validation_failed"),
    ],
)
async def test_a_put_creates_and_replaces_as_its_conditions_say(
    process: Process, headers: dict[str, str], version: int, outcome: str
) -> None:
    async with client_of(process) as client:
        response = await client.put(f"/versions/{version}", headers=headers)

    told: Any = response.json()
    assert (told if response.status_code == 200 else told["code"]) == outcome
    if outcome == "precondition_failed":
        assert response.status_code == 412


async def test_where_the_setting_asks_for_if_match_a_change_without_it_is_refused(
    process: Process,
) -> None:
    process.settings = settings(if_match_required=True)
    async with client_of(process) as client:
        refused = [await client.post("/versions/3"), await client.put("/versions/3")]
        taken = [
            await client.post("/versions/3", headers={"if-match": '"3"'}),
            await client.put("/versions/3", headers={"if-match": '"3"'}),
            await client.put("/versions/0", headers={"if-none-match": "*"}),
            await client.get("/versions/3"),
        ]

    assert [one.status_code for one in taken] == [200] * 4
    for response in refused:
        assert response.status_code == 428
        assert problem_of(response)["code"] == "precondition_required"
