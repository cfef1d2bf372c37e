"""The routes by which an endpoint's signing secret gets a successor."""

from __future__ import annotations

from milepost.api.answers import NewSecret
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import InvalidInput, UnknownRecord
from milepost.insights import EndpointView
from milepost.secrecy import RotationInput


async def rotate_secret(call: Call[Nothing, RotationInput]) -> Answer:
    endpoint = await call.hub.secrecy.rotate(call.account_id, call.path["endpoint_id"], call.body)
    return Answer(NewSecret(await call.hub.insights.shown(endpoint), endpoint.secrets[0]))


async def retire_secrets(call: Call[Nothing, Nothing]) -> Answer:
    endpoint = await call.hub.secrecy.retire(call.account_id, call.path["endpoint_id"])
    return Answer(await call.hub.insights.shown(endpoint))


ROUTES = (
    Route(
        method="POST",
        path="/v1/endpoints/{endpoint_id}/rotate",
        act=rotate_secret,
        name="rotateSecret",
        summary="Give an endpoint a new signing secret, shown this once; the old one signs on.",
        tag="endpoints",
        query=Nothing,
        body=RotationInput,
        answers={Status.OK: NewSecret},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{endpoint_id}/retire",
        act=retire_secrets,
        name="retireSecrets",
        summary="End the old signing secrets of an endpoint at once.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: EndpointView},
        problems=(UnknownRecord,),
    ),
)
