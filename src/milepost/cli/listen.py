"""`milepost listen`: a receiver on this machine that verifies, decodes and prints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from milepost.cli.landing import Landing, Landings, line_of
from milepost.cli.options import Json
from milepost.cli.output import answer, hint, stdout
from milepost.errors import InvalidInput
from milepost_receiver import ConfigurationInvalid, Receiver

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024
GRACEFUL_S = 2.0


class Contract(StrEnum):
    """The contracts that the receiver kit reads."""

    STANDARD = "standard"
    WITHINGS = "withings"
    SHIPMONK = "shipmonk"


def make_receiver(
    contract: Contract,
    *,
    secrets: list[str],
    basic: list[str],
    signature_secrets: list[str],
    accept_unsigned: bool = False,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Receiver[Any]:
    """The kit's receiver for these secrets. Raises InvalidInput, which repeats none of them."""
    try:
        match contract:
            case Contract.STANDARD:
                return Receiver.standard(
                    secrets=secrets, operational=True, max_body_bytes=max_body_bytes
                )
            case Contract.WITHINGS:
                return Receiver.withings(
                    secrets=secrets or None,
                    accept_unsigned=accept_unsigned,
                    max_body_bytes=max_body_bytes,
                )
            case Contract.SHIPMONK:
                return Receiver.shipmonk(
                    basic=[_pair(text) for text in basic] or None,
                    signature_secrets=signature_secrets or None,
                    secrets=secrets or None,
                    max_body_bytes=max_body_bytes,
                )
    except ConfigurationInvalid as error:
        field = _OPTION.get(error.at or "", "--secret")
        raise InvalidInput(field=field, expected=_advice(error)) from None


_OPTION = {"basic": "--basic", "signature_secrets": "--signature-secret"}


def _pair(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not colon:
        raise InvalidInput(field="--basic", expected="username:password")
    return name, password


def _advice(error: ConfigurationInvalid) -> str:
    if error.at is None or error.expected == "a list with at least one entry":
        return (
            "the endpoint's secret (whsec_…), which is shown when the endpoint is made; "
            "withings also takes --accept-unsigned, shipmonk --basic and --signature-secret"
        )
    return error.expected or "something else"


class Door:
    """An ASGI application: what it is sent goes to the receiver kit, and the kit's word back.

    `finished` is set after `count` notifications were accepted.
    """

    def __init__(
        self,
        landings: Landings,
        *,
        show: Callable[[Landing], None],
        count: int | None,
        finished: asyncio.Event,
        max_body_bytes: int,
    ) -> None:
        self._landings = landings
        self._show = show
        self._count = count
        self._finished = finished
        self._max_body_bytes = max_body_bytes
        self.accepted = self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _reply(send, 405, allow=b"POST")
            return
        body = await self._body(receive)
        if body is None:
            return
        landing = self._landings.land(scope["headers"], body)
        self._show(landing)
        await _reply(send, landing.answered)
        self.refused += not landing.accepted
        self.accepted += landing.accepted
        if self.accepted == self._count:
            self._finished.set()

    async def _body(self, receive: Receive) -> bytes | None:
        """What was sent, at most one byte over the limit; None when the sender went away."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes or not message.get("more_body"):
                return bytes(body[: self._max_body_bytes + 1])


async def _reply(send: Send, status: int, *, allow: bytes | None = None) -> None:
    headers = [(b"content-length", b"0")]
    if allow is not None:
        headers.append((b"allow", allow))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


async def _listen(
    landings: Landings,
    *,
    contract: str,
    host: str,
    port: int,
    count: int | None,
    as_json: bool,
    until_eof: bool,
    max_body_bytes: int,
) -> None:
    from milepost.cli.web import bind, serve_until, stop_event, url_of

    bound = bind(host, port)
    url = url_of(bound) + "/"
    stop = stop_event(at_end_of_input=until_eof)
    console = stdout()

    def show(landing: Landing) -> None:
        if as_json:
            answer(landing)
        else:
            console.print(line_of(landing, with_type=True), soft_wrap=True)

    def started() -> None:
        if as_json:
            answer({"listening": url, "contract": contract})
        else:
            hint(f"Listening for {contract} notifications on {url} (Ctrl-C ends it)", style="")

    door = Door(
        landings,
        show=show,
        count=count,
        finished=stop,
        max_body_bytes=max_body_bytes,
    )
    await serve_until(
        stop, door, bound=bound, lifespan="off", graceful_s=GRACEFUL_S, on_started=started
    )
    if not as_json:
        hint(f"{door.accepted} accepted, {door.refused} refused.", style="")


def listen(
    contract: Annotated[
        Contract, typer.Option(help="The contract that the notifications come in.")
    ] = Contract.STANDARD,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MILEPOST_LISTEN_SECRET",
            help="The endpoint's secret, whsec_…; give it twice while one replaces another.",
            show_envvar=True,
        ),
    ] = None,
    basic: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MILEPOST_LISTEN_BASIC", help="shipmonk: the username:password to expect."
        ),
    ] = None,
    signature_secret: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MILEPOST_LISTEN_SIGNATURE_SECRET",
            help="shipmonk: the secret of X-Sm-Signature.",
        ),
    ] = None,
    accept_unsigned: Annotated[
        bool, typer.Option("--accept-unsigned", help="withings: accept what nobody signed.")
    ] = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free one.")
    ] = 8401,
    fail: Annotated[
        int, typer.Option(min=0, help="Answer 500 to the first N, as a receiver in trouble would.")
    ] = 0,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many accepted notifications.")
    ] = None,
    max_body_bytes: Annotated[
        int, typer.Option(min=1, help="Refuse larger bodies with 413.")
    ] = MAX_BODY_BYTES,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when standard input ends.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Receive notifications on this machine: verify, decode and print each in one line.

    With --json there is one JSON value a line; the first says where it listens.
    """
    from milepost.cli.web import run

    receiver = make_receiver(
        contract,
        secrets=secret or [],
        basic=basic or [],
        signature_secrets=signature_secret or [],
        accept_unsigned=accept_unsigned,
        max_body_bytes=max_body_bytes,
    )
    landings = Landings(receiver, contract=contract.value, fail=fail, signed=not accept_unsigned)
    run(
        _listen(
            landings,
            contract=contract.value,
            host=host,
            port=port,
            count=count,
            as_json=as_json,
            until_eof=until_eof,
            max_body_bytes=max_body_bytes,
        )
    )
