"""Dead letters: in groups by what went wrong, as a list of one group, and redriven together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.console.ask import Answer, ask, segment
from app.console.asking import ask_all, utc
from app.console.forms import form_of
from app.console.render import page, parts

LIST = "/console/dead-letters"
LIMIT = 50

_LETTERS = "/v1/ops/dead-letters"
_FIELDS = ("subscriber", "type", "error_type", "since", "until")
_STATES = ("dead", "discarded", "due")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters are meant: the filters of the REST API, as the page's address has them."""

    state: str
    fields: Mapping[str, str]
    cursor: str
    as_list: bool

    @classmethod
    def of(cls, query: QueryParams) -> "Asked":
        """Read the filters from an address; what is empty was not chosen."""
        fields = {name: query.get(name, "").strip() for name in _FIELDS}
        return cls(
            state=query.get("state") or "dead",
            fields={name: value for name, value in fields.items() if value},
            cursor=query.get("cursor", ""),
            as_list=query.get("view") == "list",
        )

    @property
    def filters(self) -> dict[str, object]:
        """The same as the REST API takes it, in a query and in the body of a redrive."""
        times = {name: utc(self.fields[name]) for name in ("since", "until") if name in self.fields}
        return {"state": self.state, **self.fields, **times}

    @property
    def query(self) -> dict[str, str]:
        """The filters as the address of a page has them."""
        state = {} if self.state == "dead" else {"state": self.state}
        return {**state, **self.fields}

    def link(self, path: str = LIST, **changes: str | None) -> str:
        """Return the address of a page with these filters, some of them changed."""
        kept = {name: value for name, value in {**self.query, **changes}.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path

    def letter(self, letter: Mapping[str, Any]) -> str:
        """Return the address of a letter, which knows its neighbours by the page it is on."""
        path = f"{LIST}/{segment(letter['subscriber'])}/{segment(letter['event_id'])}"
        return self.link(path, cursor=self.cursor)


async def dead_letters(request: Request) -> Response:
    """Show groups, or the letters of one."""
    context = await _context(request, Asked.of(request.query_params))
    status = context["problem"]["status"] if context["problem"] else HTTPStatus.OK
    return await page(request, "dead_letters.html", status=status, **context)


async def live(request: Request) -> dict[str, str]:
    """Give the groups anew."""
    context = await _context(request, Asked.of(request.query_params))
    return await parts(request, [("letter-groups", "dead_letter_groups.html")], **context)


async def redrive(request: Request) -> Response:
    """Redrive the letters that were ticked, or count all that match, and then redrive those."""
    asked = Asked.of(request.query_params)
    sent = await form_of(request)
    if sent.get("what") == "selected":
        return await _selected(request, asked, sent.many.get("letter", ()))
    key = sent.get("key") or token_urlsafe(12)
    if sent.get("what") == "count":
        answer = await ask(
            request, "POST", f"{_LETTERS}/redrive", body={**asked.filters, "dry_run": True}
        )
        if not answer.ok:
            return await _refused(request, asked, answer)
        return await page(
            request, "dead_letters_sure.html", asked=asked, total=answer.body["total"], key=key
        )
    answer = await ask(
        request,
        "POST",
        f"{_LETTERS}/redrive",
        body=asked.filters,
        headers={"Idempotency-Key": key},
    )
    return _started([answer]) if answer.ok else await _refused(request, asked, answer)


async def _selected(request: Request, asked: Asked, letters: Sequence[str]) -> Response:
    """Redrive single letters, each named `event id` `subscriber`: one action per subscriber."""
    chosen: dict[str, list[str]] = defaultdict(list)
    for one in letters:
        event_id, _, subscriber = one.partition(" ")
        chosen[subscriber].append(event_id)
    if not chosen:
        return RedirectResponse(
            asked.link(view="list", cursor=asked.cursor, none="1"), HTTPStatus.SEE_OTHER
        )
    answers = []
    for subscriber, event_ids in sorted(chosen.items()):
        body = {"state": asked.state, "subscriber": subscriber, "event_ids": event_ids}
        answers.append(await ask(request, "POST", f"{_LETTERS}/redrive", body=body))
        if not answers[-1].ok:
            return await _refused(request, asked, answers[-1])
    return _started(answers)


def _started(answers: list[Answer]) -> Response:
    """Lead to the progress of what was started."""
    first, *others = [answer.body["id"] for answer in answers]
    more = f"?{urlencode({'and': others}, doseq=True)}" if others else ""
    return RedirectResponse(f"/console/actions/{first}{more}", HTTPStatus.SEE_OTHER)


async def _refused(request: Request, asked: Asked, answer: Answer) -> Response:
    context = await _context(request, asked)
    context = {**context, "problem": answer.body}
    return await page(request, "dead_letters.html", status=answer.status, **context)


async def _context(request: Request, asked: Asked) -> Mapping[str, Any]:
    is_list = asked.as_list or bool(asked.fields) or asked.cursor != ""
    questions: dict[str, tuple[str, Mapping[str, object]]] = {
        "groups": (f"{_LETTERS}/groups", asked.filters | {"limit": 100}),
    }
    if is_list:
        cursor = {"cursor": asked.cursor} if asked.cursor else {}
        questions["letters"] = (_LETTERS, asked.filters | {"limit": LIMIT} | cursor)
    answers = await ask_all(request, questions)
    groups = answers["groups"]
    found = answers.get("letters", Answer(HTTPStatus.OK, {"items": [], "next_cursor": None}, {}))
    problem = next((one.body for one in answers.values() if not one.ok), None)
    following = found.body["next_cursor"] if found.ok else None
    known = groups.body["items"] if groups.ok else []
    return {
        "asked": asked,
        "is_list": is_list,
        "problem": problem,
        "groups": known,
        "is_all": not (groups.ok and groups.body["next_cursor"]),
        "total": sum(group["count"] for group in known),
        "letters": found.body["items"] if found.ok else [],
        "next_url": asked.link(view="list", cursor=following) if following else None,
        "first_url": asked.link(view="list") if asked.cursor else None,
        "states": _STATES,
        "nothing_chosen": "none" in request.query_params,
        "key": token_urlsafe(12),
    }
