"""The routes that set up an account: stores, endpoints, and the contracts that there are."""

from __future__ import annotations

from milepost.api.answers import (
    Contracts,
    DeletedEndpoint,
    Endpoints,
    NewEndpoint,
    QueuedDelivery,
    Stores,
    queued,
)
from milepost.api.bodies import StoreBody
from milepost.api.door import Answer, Call, Nothing, Route
from milepost.api.problems import Status
from milepost.errors import AlreadyExists, InvalidInput, UnknownRecord, UrlRefused
from milepost.insights import EndpointView, StoreView, store_view
from milepost.rules import EndpointChange, EndpointInput


async def list_stores(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Stores(list(await call.hub.insights.stores(call.account_id))))


async def get_store(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.insights.store(call.account_id, call.path["store"]))


async def put_store(call: Call[Nothing, StoreBody]) -> Answer:
    store = await call.hub.operations.put_store(
        call.account_id, call.path["store"], name=call.body.name, number=call.body.number
    )
    return Answer(store_view(store))


async def list_endpoints(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Endpoints(list(await call.hub.insights.endpoints(call.account_id))))


async def add_endpoint(call: Call[Nothing, EndpointInput]) -> Answer:
    endpoint = await call.hub.operations.add_endpoint(call.account_id, call.body)
    return Answer(
        NewEndpoint(await call.hub.insights.shown(endpoint), endpoint.secrets[0]),
        Status.CREATED,
        ((b"location", b"/v1/endpoints/" + endpoint.endpoint_id.encode()),),
    )


async def get_endpoint(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.hub.insights.endpoint(call.account_id, call.path["endpoint_id"]))


async def change_endpoint(call: Call[Nothing, EndpointChange]) -> Answer:
    endpoint = await call.hub.operations.change_endpoint(
        call.account_id, call.path["endpoint_id"], call.body
    )
    return Answer(await call.hub.insights.shown(endpoint))


async def delete_endpoint(call: Call[Nothing, Nothing]) -> Answer:
    endpoint_id = call.path["endpoint_id"]
    abandoned = await call.hub.operations.delete_endpoint(call.account_id, endpoint_id)
    return Answer(DeletedEndpoint(endpoint_id, abandoned))


async def pause_endpoint(call: Call[Nothing, Nothing]) -> Answer:
    endpoint = await call.hub.operations.pause_endpoint(call.account_id, call.path["endpoint_id"])
    return Answer(await call.hub.insights.shown(endpoint))


async def resume_endpoint(call: Call[Nothing, Nothing]) -> Answer:
    endpoint = await call.hub.operations.resume_endpoint(call.account_id, call.path["endpoint_id"])
    return Answer(await call.hub.insights.shown(endpoint))


async def test_endpoint(call: Call[Nothing, Nothing]) -> Answer:
    delivery = await call.hub.operations.send_test(call.account_id, call.path["endpoint_id"])
    return Answer(queued(delivery), Status.ACCEPTED)


async def list_contracts(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(Contracts(list(call.hub.insights.contracts())))


ROUTES = (
    Route(
        method="GET",
        path="/v1/stores",
        act=list_stores,
        name="listStores",
        summary="List the account's stores.",
        tag="stores",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Stores},
    ),
    Route(
        method="GET",
        path="/v1/stores/{store}",
        act=get_store,
        name="getStore",
        summary="Read a store.",
        tag="stores",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: StoreView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="PUT",
        path="/v1/stores/{store}",
        act=put_store,
        name="putStore",
        summary="Open a store, or change its name and number.",
        tag="stores",
        query=Nothing,
        body=StoreBody,
        answers={Status.OK: StoreView},
        problems=(InvalidInput, AlreadyExists),
    ),
    Route(
        method="GET",
        path="/v1/endpoints",
        act=list_endpoints,
        name="listEndpoints",
        summary="List the account's endpoints.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Endpoints},
    ),
    Route(
        method="POST",
        path="/v1/endpoints",
        act=add_endpoint,
        name="createEndpoint",
        summary="Open an endpoint; its signing secret is shown this once.",
        tag="endpoints",
        query=Nothing,
        body=EndpointInput,
        answers={Status.CREATED: NewEndpoint},
        problems=(InvalidInput, UrlRefused),
    ),
    Route(
        method="GET",
        path="/v1/endpoints/{endpoint_id}",
        act=get_endpoint,
        name="getEndpoint",
        summary="Read an endpoint.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: EndpointView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="PATCH",
        path="/v1/endpoints/{endpoint_id}",
        act=change_endpoint,
        name="changeEndpoint",
        summary="Change an endpoint; what is left out stays as it is.",
        tag="endpoints",
        query=Nothing,
        body=EndpointChange,
        answers={Status.OK: EndpointView},
        problems=(UnknownRecord, InvalidInput, UrlRefused),
    ),
    Route(
        method="DELETE",
        path="/v1/endpoints/{endpoint_id}",
        act=delete_endpoint,
        name="deleteEndpoint",
        summary="Remove an endpoint; what is pending is abandoned, its history stays.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: DeletedEndpoint},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{endpoint_id}/pause",
        act=pause_endpoint,
        name="pauseEndpoint",
        summary="Park what is and becomes pending there until the endpoint is resumed.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: EndpointView},
        problems=(UnknownRecord,),
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{endpoint_id}/resume",
        act=resume_endpoint,
        name="resumeEndpoint",
        summary="Send what was parked, and go on.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: EndpointView},
        problems=(UnknownRecord, InvalidInput),
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{endpoint_id}/test",
        act=test_endpoint,
        name="testEndpoint",
        summary="Send a notification of a made-up order.",
        tag="endpoints",
        query=Nothing,
        body=Nothing,
        answers={Status.ACCEPTED: QueuedDelivery},
        problems=(UnknownRecord,),
    ),
    Route(
        method="GET",
        path="/v1/contracts",
        act=list_contracts,
        name="listContracts",
        summary="List the contracts with their statuses, schedules and options.",
        tag="contracts",
        query=Nothing,
        body=Nothing,
        answers={Status.OK: Contracts},
    ),
)
