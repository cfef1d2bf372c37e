"""The published document of the interface as people read it: operations, fields, types, limits.

It is made of the very document that `/openapi.json` answers with, so neither says more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

Piece = tuple[str, str]
"""Words, and the name of the shape that they link to, or nothing."""

_REF = "#/components/schemas/"
_MANY = 12
"""So many words of a closed set stand in a table; the others are on the shape's own page."""


class FieldRow(msgspec.Struct, frozen=True):
    """One field or parameter; `where` is path, query or header, empty for a field of a body."""

    name: str
    type: tuple[Piece, ...]
    limits: str
    required: bool
    default: str
    about: str
    where: str = ""


class AnswerRow(msgspec.Struct, frozen=True):
    """One way to be answered."""

    status: str
    about: str
    type: tuple[Piece, ...]
    media_type: str
    example: str


class ProblemRow(msgspec.Struct, frozen=True):
    """One status that refuses: the names of its problems, each with its title."""

    status: str
    problems: tuple[Piece, ...]


class Operation(msgspec.Struct, frozen=True):
    """One method of one path, or one notification that an endpoint is sent."""

    name: str
    method: str
    path: str
    summary: str
    tag: str
    public: bool
    parameters: tuple[FieldRow, ...]
    body: tuple[Piece, ...]
    body_types: tuple[str, ...]
    fields: tuple[FieldRow, ...]
    example: str
    answers: tuple[AnswerRow, ...]
    problems: tuple[ProblemRow, ...]

    @property
    def words(self) -> str:
        """Everything that a filter looks through."""
        return f"{self.method} {self.path} {self.summary} {self.name} {self.tag}".lower()

    def curl(self, origin: str) -> str:
        """A call to copy: what is particular to the reader stands in variables of a shell."""
        lines = [f'curl -X {self.method} "{origin}{_shelled(self.path)}"']
        if not self.public:
            lines.append('-H "Authorization: Bearer $MILEPOST_KEY"')
        if self.example:
            quoted = self.example.replace("'", "'\\''")
            lines += ["-H 'Content-Type: application/json'", f"-d '{quoted}'"]
        return " \\\n  ".join(lines)


class Shape(msgspec.Struct, frozen=True):
    """A named shape: its fields, or the words of a closed set."""

    name: str
    about: str
    fields: tuple[FieldRow, ...]
    words: tuple[str, ...]
    kinds: tuple[Piece, ...]


class Group(msgspec.Struct, frozen=True):
    """The operations that belong together."""

    name: str
    about: str
    operations: tuple[Operation, ...]


class Interface(msgspec.Struct, frozen=True):
    """The whole of it."""

    version: str
    about: str
    groups: tuple[Group, ...]
    notifications: tuple[Operation, ...]
    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]


def read_document(document: Mapping[str, Any]) -> Interface:
    """What the document says, in the order in which it says it."""
    if not document:
        return Interface("", "", (), (), {}, {})
    # As it goes over the wire: times in it are text there.
    document = msgspec.json.decode(msgspec.json.encode(document))
    components = document["components"]
    reader = _Reader(components["schemas"], components["responses"])
    operations = [
        reader.operation(method, path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    notifications = tuple(
        reader.operation("post", name, told["post"], notification=True)
        for name, told in document.get("webhooks", {}).items()
    )
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    names = dict.fromkeys((*about, *(operation.tag for operation in operations)))
    groups = (
        Group(name, about.get(name, ""), tuple(o for o in operations if o.tag == name))
        for name in names
    )
    return Interface(
        version=document["info"]["version"],
        about=document["info"]["description"],
        groups=tuple(group for group in groups if group.operations),
        notifications=notifications,
        operations={one.name: one for one in (*operations, *notifications)},
        shapes={name: reader.shape(name) for name in components["schemas"]},
    )


class _Reader:
    def __init__(self, schemas: Mapping[str, Any], responses: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._responses = responses

    def operation(
        self, method: str, path: str, told: Mapping[str, Any], *, notification: bool = False
    ) -> Operation:
        content = told.get("requestBody", {}).get("content", {})
        media: Mapping[str, Any] = next(iter(content.values()), {})
        schema = media.get("schema", {})
        return Operation(
            name=told["operationId"],
            method=method.upper(),
            path=path,
            summary=told["summary"],
            tag=told["tags"][0],
            public=notification or told.get("security") == [],
            parameters=tuple(self._parameter(one) for one in told["parameters"]),
            body=self.type_of(schema) if schema else (),
            body_types=tuple(content),
            fields=self._fields(schema),
            example=_example(media),
            answers=tuple(self._answers(told["responses"])),
            problems=tuple(self._problems(told["responses"])),
        )

    def _parameter(self, told: Mapping[str, Any]) -> FieldRow:
        row = self._row(told["name"], told["schema"], required=told["required"])
        about = _plain(told.get("description", ""))
        return msgspec.structs.replace(row, about=about, where=told["in"])

    def _fields(self, schema: Mapping[str, Any]) -> tuple[FieldRow, ...]:
        found = self._followed(schema)
        required = found.get("required", ())
        properties = found.get("properties", {})
        # What has to be there is read first.
        names = sorted(properties, key=lambda name: name not in required)
        return tuple(self._row(name, properties[name], required=name in required) for name in names)

    def _row(self, name: str, schema: Mapping[str, Any], *, required: bool) -> FieldRow:
        default = "" if "default" not in schema else _default(schema["default"])
        about = _plain(schema.get("description", ""))
        return FieldRow(name, self.type_of(schema), self._limits(schema), required, default, about)

    def _answers(self, responses: Mapping[str, Any]) -> Iterator[AnswerRow]:
        for status, told in responses.items():
            if "$ref" in told:
                continue
            content: Mapping[str, Any] = told.get("content", {})
            media_type = next(iter(content), "")
            media: Mapping[str, Any] = content.get(media_type, {})
            kind = self.type_of(media["schema"]) if "schema" in media else ()
            about = _plain(told["description"])
            yield AnswerRow(status, about, kind, media_type, _example(media))

    def _problems(self, responses: Mapping[str, Any]) -> Iterator[ProblemRow]:
        for status, told in sorted(responses.items()):
            if "$ref" in told:
                found = self._responses[told["$ref"].rpartition("/")[2]]
                content = next(iter(found["content"].values()))
                titles = content["examples"]
                named = tuple((name, one["value"]["title"]) for name, one in titles.items())
                yield ProblemRow(status, named)

    def shape(self, name: str) -> Shape:
        """A shape by its name."""
        schema = self._schemas[name]
        words = tuple(str(word) for word in schema.get("enum", ()))
        kinds = () if words or "properties" in schema else self.type_of(schema)
        about = _plain(schema.get("description", ""))
        return Shape(name, about, self._fields(schema), words, kinds)

    def type_of(self, schema: Mapping[str, Any]) -> tuple[Piece, ...]:
        """What a value is, in words of which some are names of shapes."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REF)
            return ((name, name),)
        several = schema.get("anyOf") or schema.get("oneOf")
        if several:
            return self._either(several)
        if "enum" in schema:
            words = [f"“{word}”" for word in schema["enum"]]
            return ((" or ".join(words[:_MANY]), ""),)
        kind = schema.get("type", "anything")
        if kind == "array":
            return (("list of ", ""), *self.type_of(schema.get("items", {})))
        if kind == "object" and schema.get("additionalProperties"):
            return (("object of ", ""), *self.type_of(schema["additionalProperties"]))
        text = " or ".join(kind) if isinstance(kind, list) else str(kind)
        told = {"date-time": "time", "decimal": "amount"}.get(schema.get("format", ""))
        return ((told or text, ""),)

    def _either(self, schemas: Iterable[Mapping[str, Any]]) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        for schema in schemas:
            if pieces:
                pieces.append((" or ", ""))
            pieces += self.type_of(schema)
        return tuple(pieces)

    def _limits(self, schema: Mapping[str, Any]) -> str:
        found = _limits(schema)
        for inner in (*schema.get("anyOf", ()), *_listed(schema.get("items"))):
            found += _limits(inner)
        return ", ".join(dict.fromkeys(found))

    def _followed(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            followed: Mapping[str, Any] = self._schemas[schema["$ref"].removeprefix(_REF)]
            return followed
        return schema


_BOUNDS: Sequence[tuple[str, str, str]] = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
    ("minimum", "maximum", ""),
)


def _limits(schema: Mapping[str, Any]) -> list[str]:
    found = []
    for least, most, unit in _BOUNDS:
        low, high = schema.get(least), schema.get(most)
        if low is None and high is None:
            continue
        text = f"{low:,} to {high:,}" if low is not None and high is not None else ""
        text = text or (f"at most {high:,}" if low is None else f"at least {low:,}")
        found.append(f"{text} {unit}".strip())
    if "exclusiveMinimum" in schema:
        found.append(f"more than {schema['exclusiveMinimum']:,}")
    if "pattern" in schema:
        found.append(f"matches {schema['pattern']}")
    return found


def _listed(schema: object) -> Sequence[Mapping[str, Any]]:
    return (schema,) if isinstance(schema, dict) else ()


def _default(value: object) -> str:
    return "" if value is None or value in ([], {}) else json.dumps(value)


def _example(media: Mapping[str, Any]) -> str:
    examples = media.get("examples", {})
    if not examples:
        return ""
    value = next(iter(examples.values()))["value"]
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def _shelled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: f"${found[1].upper()}", path)
