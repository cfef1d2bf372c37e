"""The tree of errors."""

from __future__ import annotations

import inspect
import pickle

import pytest

import milepost_receiver
from milepost_receiver import ReceiverError, errors

TREE = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_of_one_tree_and_exported(kind: type[ReceiverError]) -> None:
    assert issubclass(kind, ReceiverError)
    assert getattr(milepost_receiver, kind.__name__) is kind
    assert kind.__name__ in milepost_receiver.__all__


@pytest.mark.parametrize("kind", TREE)
def test_the_docstring_is_the_message(kind: type[ReceiverError]) -> None:
    error = kind()
    assert kind.__doc__ is not None
    assert str(error) == kind.__doc__
    assert (error.at, error.expected) == (None, None)
    assert str(kind("a", expected="b")) == f"{kind.__doc__} (a: expected b)"
    assert str(kind(expected="b")) == f"{kind.__doc__} (expected b)"
    assert str(kind("a")) == f"{kind.__doc__} (a)"


@pytest.mark.parametrize("kind", TREE)
def test_every_error_names_a_fitting_reply(kind: type[ReceiverError]) -> None:
    assert kind.http_status in {400, 401, 403, 413, 500, 503}


@pytest.mark.parametrize("kind", TREE)
def test_an_error_survives_pickling(kind: type[ReceiverError]) -> None:
    again = pickle.loads(pickle.dumps(kind("a", expected="b")))
    assert (type(again), again.at, again.expected, str(again)) == (
        kind,
        "a",
        "b",
        str(kind("a", expected="b")),
    )
