"""A client of a dropshipment provider, written from the provider's published description alone.

It knows nothing of the hub: only a base URL, a client id and a client secret, and how requests are
signed. Nothing of the project is imported here, and a test sees to it.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

SERVICES = {
    "getnonce": "/v2/signature",
    "createorder": "/v2/dropshipment",
    "createuserorder": "/v2/dropshipment",
    "update": "/v2/dropshipment",
    "delete": "/v2/dropshipment",
    "getorderstatus": "/v2/dropshipment",
    "getdetail": "/v2/order",
}
MIXES = ("form", "query", "both")


@dataclass
class Answer:
    """The JSON of an answer; `whole` is everything, beside status and body."""

    status: int
    body: dict[str, Any]
    whole: dict[str, Any]


@dataclass
class Client:
    """Speaks to the three services; `mix` says where parameters go, GET always has a query."""

    base_url: str
    client_id: str
    client_secret: str
    mix: str = "form"
    method: str = "POST"
    http_statuses: list[int] = field(default_factory=list)

    def signature(self, *values: str) -> str:
        """Values of the signed parameters, which are sorted by their names, joined by commas."""
        text = ",".join(values)
        return hmac.new(self.client_secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def nonce(self) -> str:
        answer = self.get_nonce()
        assert answer.status == 0, answer
        nonce: str = answer.body["nonce"]
        return nonce

    def get_nonce(self, **given: str) -> Answer:
        timestamp = str(int(time.time()))
        signed = self.signature("getnonce", self.client_id, timestamp)
        parameters = {
            "action": "getnonce",
            "client_id": self.client_id,
            "timestamp": timestamp,
            "signature": signed,
        }
        return self.send("/v2/signature", parameters | given)

    def call(self, action: str, **given: Any) -> Answer:
        """One signed call; `nonce` and `signature` may be given, structures go as JSON."""
        nonce = given.pop("nonce", None) or self.nonce()
        parameters = {
            "action": action,
            "client_id": self.client_id,
            "nonce": nonce,
            "signature": self.signature(action, self.client_id, nonce),
        }
        told = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in given.items()
        }
        return self.send(SERVICES[action], parameters | told)

    def send(self, path: str, parameters: dict[str, str]) -> Answer:
        query, form = "", ""
        if self.method == "GET" or self.mix == "query":
            query = urlencode(parameters)
        elif self.mix == "form":
            form = urlencode(parameters)
        else:
            names = sorted(parameters)
            query = urlencode({n: parameters[n] for n in names[::2]})
            form = urlencode({n: parameters[n] for n in names[1::2]})
        headers = {"content-type": "application/x-www-form-urlencoded"} if form else {}
        target = f"{path}?{query}" if query else path
        base = urlsplit(self.base_url)
        assert base.hostname is not None
        connection = http.client.HTTPConnection(base.hostname, base.port, timeout=30)
        with closing(connection):
            connection.request(self.method, target, form or None, headers)
            reply = connection.getresponse()
            whole = json.loads(reply.read())
        self.http_statuses.append(reply.status)
        assert {"status", "body"} <= set(whole), whole
        return Answer(whole["status"], whole["body"], whole)

    # the actions

    def create_order(self, *orders: dict[str, Any], **given: Any) -> Answer:
        return self.call("createorder", order=list(orders), **given)

    def create_user_order(self, *orders: dict[str, Any], **given: Any) -> Answer:
        person = {
            "mailingpref": "true",
            "birthdate": "1563746400",
            "measures": [{"value": 180, "unit": -2, "type": 4}],
            "gender": "0",
            "preflang": "en_US",
            "unit_pref": {"weight": 1, "height": 6, "distance": 6, "temperature": 11},
            "email": "ada@example.com",
            "timezone": "Europe/Paris",
            "shortname": "ADA",
            "external_id": "person-1",
        }
        return self.call("createuserorder", order=list(orders), **(person | given))

    def update(self, order_id: str, order: dict[str, Any], **given: Any) -> Answer:
        return self.call("update", order_id=order_id, order=[order], **given)

    def delete(self, order_id: str, **given: Any) -> Answer:
        return self.call("delete", order_id=order_id, **given)

    def order_status(self, **given: Any) -> Answer:
        return self.call("getorderstatus", **given)

    def detail(self, **given: Any) -> Answer:
        return self.call("getdetail", **given)


def an_address(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ada Lovelace",
        "company_name": "Analytical Engines",
        "email": "ada@example.com",
        "telephone": "+33123456789",
        "address1": "2 rue Maurice Hartmann",
        "address2": "",
        "city": "Issy-les-Moulineaux",
        "zip": "92130",
        "country": "FR",
        **changes,
    }


def an_order(ref: str, **changes: Any) -> dict[str, Any]:
    return {
        "customer_ref_id": ref,
        "address": an_address(),
        "products": [{"ean": "3700546702518", "quantity": 3}],
        **changes,
    }
