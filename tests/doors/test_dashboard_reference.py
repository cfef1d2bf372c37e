"""The reference: every operation and shape of the document is there to read, with nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.contracts import ROOMS
from milepost.dashboard.published import read_document
from milepost.dashboard.reference import table_of
from milepost.orders.lifecycle import State
from milepost.ports.people import Role
from tests.doors.desk import Desk, opened
from tests.doors.pages import Visitor, a_person


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Visitor]]:
    """A hub that nothing here changes, and somebody who may only read."""
    folder: Path = tmp_path_factory.mktemp("reference")
    with opened(folder) as desk:
        yield desk, a_person(desk, Role.READER)


def test_every_operation_of_the_document_is_on_the_page_with_its_summary(
    room: tuple[Desk, Visitor],
) -> None:
    desk, reader = room
    seen = reader.get("/reference")
    assert seen.status == 200
    for path, methods in desk.app.openapi()["paths"].items():
        for told in methods.values():
            assert f'href="/reference/{told["operationId"]}"' in seen.html, path
            assert " ".join(told["summary"].split()) in seen.text


def test_every_link_between_operations_and_types_leads_somewhere(
    room: tuple[Desk, Visitor],
) -> None:
    desk, reader = room
    interface = read_document(desk.app.openapi())
    for name in ("putOrder", "createEndpoint", "listOrders", "standardNotification"):
        assert name in interface.operations, sorted(interface.operations)
        seen = reader.get(f"/reference/{name}")
        assert seen.status == 200, name
        for shape in re.findall(r'href="/reference/types/(\w+)"', seen.html):
            assert shape in interface.shapes
    linked = {
        shape
        for one in interface.shapes.values()
        for field in one.fields
        for _, shape in field.type
        if shape
    }
    assert linked <= set(interface.shapes)


def test_an_operation_shows_its_fields_limits_answers_problems_and_a_call(
    room: tuple[Desk, Visitor],
) -> None:
    _, reader = room
    seen = reader.get("/reference/putOrder")
    assert "order_key required" in seen.text
    assert "1 to 255 characters" in seen.text
    assert "order-erased" in seen.text
    assert 'curl -X POST "http://hub.example/v1/orders"' in seen.text
    assert "Bearer $MILEPOST_KEY" in seen.text
    assert "created" in seen.text


def test_a_call_to_copy_keeps_quotes_from_the_shell(room: tuple[Desk, Visitor]) -> None:
    desk, _ = room
    one = read_document(desk.app.openapi()).operations["putOrder"]
    one = type(one)(**{n: getattr(one, n) for n in one.__struct_fields__} | {"example": "it's"})
    assert "-d 'it'\\''s'" in one.curl("http://hub.example")


def test_the_filter_works_without_a_script(room: tuple[Desk, Visitor]) -> None:
    _, reader = room
    seen = reader.get("/reference?filter=post+resend")
    assert "/reference/resendFailed" in seen.html
    assert "/reference/putStore" not in seen.html
    assert "Nothing is called that" in reader.get("/reference?filter=nonesuch").text


def test_every_shape_has_a_page(room: tuple[Desk, Visitor]) -> None:
    _, reader = room
    assert "country_code" in reader.get("/reference/types/Address").text
    assert "out_for_delivery" in reader.get("/reference/types/State").text
    assert reader.get("/reference/types/Nonesuch").status == 404
    assert reader.get("/reference/nonesuch").status == 404


def test_the_lifecycle_has_every_state_and_a_drawing_with_its_own_policy(
    room: tuple[Desk, Visitor],
) -> None:
    _, reader = room
    seen = reader.get("/reference/lifecycle")
    for state in State:
        assert f'id="{state}"' in seen.html
    for path in ("/reference/lifecycle.svg", "/reference/lifecycle/withings.svg"):
        drawn = reader.get(path)
        assert drawn.status == 200
        assert drawn.header("content-type") == "image/svg+xml"
        assert "style-src 'sha256-" in drawn.header("content-security-policy")
    assert reader.get("/reference/lifecycle/nonesuch.svg").status == 404


def test_the_mapping_has_every_word_and_says_whose_each_schedule_is(
    room: tuple[Desk, Visitor],
) -> None:
    _, reader = room
    seen = reader.get("/reference/mapping")
    for contract in ROOMS.values():
        for schedule in contract.schedules:
            assert schedule.name in seen.text
        for word in contract.statuses:
            assert f"<code>{word}</code>" in seen.html
    assert "published in part" in seen.text
    assert seen.calls == ["find_session", "accounts"]


def test_nothing_of_the_reference_needs_another_host_or_an_inline_style(
    room: tuple[Desk, Visitor],
) -> None:
    _, reader = room
    for path in ("/reference", "/reference/putOrder", "/reference/lifecycle", "/reference/mapping"):
        seen = reader.get(path)
        assert " style=" not in seen.html
        assert "<style" not in seen.html
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', seen.html)


def test_a_table_of_the_documents_is_read_with_its_words_of_code() -> None:
    found = table_of("| a | b |\n| --- | --- |\n| `x` or y | |")
    assert found.head == ("A", "B")
    assert found.rows == (((("x", True), (" or y", False)), ()),)
