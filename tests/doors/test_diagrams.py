"""The drawings of contracts over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from milepost.contracts import ROOMS
from tests.doors.desk import Desk


def test_the_picture_is_served_to_anybody_and_its_style_is_all_that_may_be_applied(
    desk: Desk,
) -> None:
    answer = desk.get("/v1/contracts/withings/diagram.svg", headers={"authorization": ""})
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    diagram = ROOMS["withings"].diagram
    assert diagram is not None
    assert answer.body.decode() == diagram.svg()
    styles = re.findall(rb"<style>(.*?)</style>", answer.body, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s).digest()).decode() for s in styles]
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ET.fromstring(answer.body).tag.endswith("svg")


def test_the_chart_is_served_as_text(desk: Desk) -> None:
    answer = desk.get("/v1/contracts/withings/diagram.mmd", headers={"authorization": ""})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/vnd.mermaid")
    assert answer.body.startswith(b"flowchart TB\n")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; frame")


@pytest.mark.parametrize("contract", ["standard", "pigeon"])
def test_a_contract_that_is_not_drawn_has_no_picture(desk: Desk, contract: str) -> None:
    for form in ("svg", "mmd"):
        assert desk.get(f"/v1/contracts/{contract}/diagram.{form}").status == 404


def test_the_mapping_is_served_to_anybody_as_it_is_in_the_document(desk: Desk) -> None:
    answer = desk.get("/v1/mapping.md", key="")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/markdown")
    document = (Path(__file__).parents[2] / "docs/contracts/mapping.md").read_text("utf-8")
    rows = [line for line in answer.body.decode().splitlines() if line.startswith("|")]
    assert len(rows) > 60
    assert [row for row in rows if row not in document] == []
