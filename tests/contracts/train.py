"""Trains a dictionary for the compression of what is stored: `python -m tests.contracts.train 2`.

The number is that of the new dictionary. One that was released is never made anew.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import zstandard

from milepost.store import compression
from tests.contracts.shops import content_of, notifications, orders

SEED = 1
ORDERS = 1_500
BYTES = 16 * 1024


def samples(*, seed: int, count: int) -> list[bytes]:
    """What is stored of so many orders."""
    found: list[bytes] = []
    for order in islice(orders(seed), count):
        found += (content_of(order), *notifications(order))
    return found


def train(number: int) -> Path:
    """Writes the dictionary of this number. Raises FileExistsError."""
    made = zstandard.train_dictionary(
        BYTES, list(samples(seed=SEED, count=ORDERS)), dict_id=number, level=compression.LEVEL
    )
    path = Path(compression.__file__).with_name(f"{number}.dict")
    with path.open("xb") as file:
        file.write(made.as_bytes())
    return path


if __name__ == "__main__":
    print(train(int(sys.argv[1])))
