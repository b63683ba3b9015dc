"""What of a new OpenAPI document would break a client of the old one."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Document = Mapping[str, Any]
Schema = Mapping[str, Any]
Way = Literal["sent", "received"]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def breaks(old: Document, new: Document) -> list[str]:
    """Return a sentence for each change that a client of old could trip over."""
    return list(dict.fromkeys(_Comparison(old, new).operations()))


def breaks_readers(old: Schema, new: Schema) -> list[str]:
    """Return a sentence for each change to an event's data that a reader could trip over.

    Both ways: this build reads what was written before it, and builds and systems that know the
    old schema read what is written from now on.
    """
    comparison = _Comparison(_of_models(old), _of_models(new), closed=True)
    found = [*comparison.schemas("data", old, new, "sent")]
    found += comparison.schemas("data", old, new, "received")
    if old["x-subject"] != new["x-subject"]:
        found.append(f"subject is {new['x-subject']}")
    return list(dict.fromkeys(found))


def _of_models(schema: Schema) -> Document:
    return {"components": {"schemas": schema.get("$defs", {})}}


class _Comparison:
    """Both documents, and the pairs of schemas that are being compared.

    Clients of an API are asked to take values that are new to them; where closed, they need not.
    """

    def __init__(self, old: Document, new: Document, *, closed: bool = False) -> None:
        self._old = old
        self._new = new
        self._closed = closed
        self._under_way: set[tuple[str, str, Way]] = set()

    def operations(self) -> Iterator[str]:
        """Compare every operation of the old document."""
        for path, methods in self._old["paths"].items():
            for method, old in methods.items():
                where = f"{method.upper()} {path}"
                new = self._new["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{where}: removed"
                    continue
                if old["operationId"] != new["operationId"]:
                    yield f"{where}: operationId is {new['operationId']}"
                if old.get("security") != new.get("security"):
                    yield f"{where}: asks for another scope"
                yield from self._parameters(where, old, new)
                yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
                yield from self._answers(where, old["responses"], new["responses"])

    def _parameters(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = (
            {(one["in"], one["name"]): one for one in operation.get("parameters", ())}
            for operation in (old, new)
        )
        for key, parameter in before.items():
            place = f"{where}: {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{place} removed"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{place} became required"
            yield from self.schemas(place, parameter["schema"], after[key]["schema"], "sent")
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"{where}: new required {key[0]} parameter {key[1]}"

    def _body(self, where: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        place = f"{where}: body"
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{place} became required"
        for kind, content in (old or {}).get("content", {}).items():
            after = (new or {}).get("content", {}).get(kind)
            if after is None:
                yield f"{place} as {kind} removed"
            else:
                yield from self.schemas(place, content["schema"], after["schema"], "sent")

    def _answers(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        for status, answer in old.items():
            if not status.startswith("2"):
                continue
            if status not in new:
                yield f"{where}: no answer {status} any more"
                continue
            for kind, content in answer.get("content", {}).items():
                after = new[status].get("content", {}).get(kind)
                place = f"{where}: answer {status}"
                if after is None:
                    yield f"{place} as {kind} removed"
                else:
                    yield from self.schemas(
                        place, content.get("schema", {}), after.get("schema", {}), "received"
                    )

    def schemas(self, where: str, old: Schema, new: Schema, way: Way) -> Iterator[str]:
        """Compare what may be sent, or what is received, alternative by alternative."""
        key = (str(old), str(new), way)
        if key in self._under_way:
            return
        self._under_way.add(key)
        before, after = _variants(self._old, old), _variants(self._new, new)
        # What could be sent must still be taken; what comes now must be what could come before.
        asked, offered = (before, after) if way == "sent" else (after, before)
        for one in asked:
            found: list[list[str]] = []
            for other in offered:
                if _kind(one) == _kind(other) or _kind(other) == "any":
                    pair = (one, other) if way == "sent" else (other, one)
                    found.append(list(self._variant(where, *pair, way)))
            if not found:
                yield f"{where}: {_kind(one)} {'not taken any more' if way == 'sent' else 'is new'}"
            else:
                yield from min(found, key=len)
        self._under_way.discard(key)

    def _variant(self, where: str, old: Schema, new: Schema, way: Way) -> Iterator[str]:
        if old.get("format") != new.get("format"):
            yield f"{where}: format is {new.get('format')}"
        if way == "sent":
            yield from _narrowed(where, old, new)
        elif self._closed:
            yield from (f"older readers: {lost}" for lost in _narrowed(where, new, old))
        if "items" in old and "items" in new:
            yield from self.schemas(f"{where}[]", old["items"], new["items"], way)
        yield from self._properties(where, old, new, way)

    def _properties(self, where: str, old: Schema, new: Schema, way: Way) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name} removed"
            else:
                yield from self.schemas(f"{where}.{name}", schema, after[name], way)
        was, is_ = set(old.get("required", ())), set(new.get("required", ()))
        if way == "sent":
            yield from (f"{where}.{name} became required" for name in sorted(is_ - was))
        else:
            kept = sorted((was - is_) & after.keys())
            yield from (f"{where}.{name} may be missing" for name in kept)


def _narrowed(where: str, old: Schema, new: Schema) -> Iterator[str]:
    """Yield what of old is not taken by new, by its own keywords alone."""
    allowed, before = _values(new), _values(old)
    if allowed is not None:
        lost = "other values" if before is None else ", ".join(sorted(before - allowed))
        if lost:
            yield f"{where}: {lost} not taken"
    for name in _LOWER:
        if new.get(name, float("-inf")) > old.get(name, float("-inf")):
            yield f"{where}: {name} is {new[name]}"
    for name in _UPPER:
        if new.get(name, float("inf")) < old.get(name, float("inf")):
            yield f"{where}: {name} is {new[name]}"
    if new.get("pattern") not in {None, old.get("pattern")}:
        yield f"{where}: pattern is {new['pattern']}"


def _values(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None


def _variants(document: Document, schema: Schema) -> list[Schema]:
    """Return the alternatives of a schema, references followed."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _variants(document, document["components"]["schemas"][name])
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return [variant for one in several for variant in _variants(document, one)]
    return [schema]


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "any"
