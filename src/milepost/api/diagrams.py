"""The routes of drawings and of the mapping: how the words of contracts go with each other."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from milepost.api.door import GUARD, Answer, Call, Nothing, Route
from milepost.api.problems import Headers, Status
from milepost.contracts.contract import Diagram
from milepost.contracts.tables import mapping_page
from milepost.errors import UnknownRecord

SVG, MERMAID, MARKDOWN = "image/svg+xml", "text/vnd.mermaid", "text/markdown; charset=utf-8"
_STYLES = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


async def picture(call: Call[Nothing, Nothing]) -> Answer:
    content = _drawn(_diagram_of(call))
    return Answer(content, content_type=(b"content-type", SVG.encode()), guard=_guard_of(content))


async def chart(call: Call[Nothing, Nothing]) -> Answer:
    content = _diagram_of(call).mermaid(False).encode()
    return Answer(content, content_type=(b"content-type", MERMAID.encode()))


async def mapping(call: Call[Nothing, Nothing]) -> Answer:
    content = mapping_page(call.hub.rooms).encode()
    return Answer(content, content_type=(b"content-type", MARKDOWN.encode()))


def _diagram_of(call: Call[Nothing, Nothing]) -> Diagram:
    room = call.hub.rooms.get(call.path["contract"])
    if room is None or room.diagram is None:
        raise UnknownRecord
    return room.diagram


@lru_cache(maxsize=8)
def _drawn(diagram: Diagram) -> bytes:
    return diagram.svg().encode()


@lru_cache(maxsize=8)
def _guard_of(content: bytes) -> Headers:
    """What a browser may do with a picture: apply the style that is in it, and nothing else."""
    hashes = [
        base64.b64encode(hashlib.sha256(style).digest()).decode()
        for style in _STYLES.findall(content)
    ]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    policy = f"default-src 'none'; style-src {allowed}; frame-ancestors 'none'"
    kept = (header for header in GUARD if header[0] != b"content-security-policy")
    return (*kept, (b"content-security-policy", policy.encode()))


ROUTES = (
    Route(
        method="GET",
        path="/v1/mapping.md",
        act=mapping,
        name="getMapping",
        summary="Show what each state becomes in the providers' words, and what is lost.",
        tag="contracts",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: str},
        public=True,
        media_type=MARKDOWN,
    ),
    Route(
        method="GET",
        path="/v1/contracts/{contract}/diagram.svg",
        act=picture,
        name="getContractPicture",
        summary="Show how a contract's words follow each other, as a picture.",
        tag="contracts",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: str},
        problems=(UnknownRecord,),
        public=True,
        media_type=SVG,
    ),
    Route(
        method="GET",
        path="/v1/contracts/{contract}/diagram.mmd",
        act=chart,
        name="getContractChart",
        summary="Show how a contract's words follow each other, as a Mermaid chart.",
        tag="contracts",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: str},
        problems=(UnknownRecord,),
        public=True,
        media_type=MERMAID,
    ),
)
