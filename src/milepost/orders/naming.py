"""Which of an order's parcels an update speaks of, and what a new one is called."""

from __future__ import annotations

import msgspec

from milepost.orders.events import Update
from milepost.orders.lifecycle import CARRIER
from milepost.orders.model import Order, Parcel

ONLY_PARCEL = "unnamed"
"""What a parcel is called that no source has named; it takes the first name that it is told."""


def adopting(order: Order, update: Update) -> Order:
    """The order with its only parcel, which nobody has named yet, under the name now told.

    Without that a parcel first known by a word about the whole order, and then by its own name,
    would be two, and the one that never moves again would hold the order back for ever.
    """
    if update.parcel is None or len(order.parcels) != 1:
        return order
    only = order.parcels[0]
    another = only.tracking_number and update.tracking_number not in (None, only.tracking_number)
    if only.parcel != ONLY_PARCEL or update.parcel == ONLY_PARCEL or another:
        return order
    named = msgspec.structs.replace(only, parcel=update.parcel)
    return msgspec.structs.replace(order, parcels=(named,))


def parcels_named(order: Order, update: Update) -> tuple[Parcel, ...]:
    """The parcels that the update speaks of, a new one where it names one that is not known."""
    parcels = order.parcels
    if update.parcel is not None:
        known = tuple(p for p in parcels if p.parcel == update.parcel)
        return known or (Parcel(update.parcel),)
    if update.tracking_number is not None:
        return _parcel_of_number(parcels, update, update.tracking_number)
    if (package := _package_of(update)) is not None and parcels:
        known = tuple(p for p in parcels if _package_of(p) == package)
        if not known and len(parcels) == 1 and _package_of(parcels[0]) is None:
            return parcels
        return known or (Parcel(_free_name(parcels, f"package {package}")),)
    about_carrier = update.state is not None and update.state in CARRIER
    if not about_carrier and not update.speaks_of_a_parcel:
        return ()
    return parcels or (Parcel(ONLY_PARCEL),)


def _parcel_of_number(
    parcels: tuple[Parcel, ...], update: Update, number: str
) -> tuple[Parcel, ...]:
    """The parcel with this tracking number, or the one that it is news of.

    Packages that share one tracking number are told apart by their own numbers.
    """
    package = _package_of(update)
    fitting = parcels
    if package is not None:
        fitting = tuple(p for p in parcels if _package_of(p) in (None, package))
    known = tuple(p for p in fitting if p.tracking_number == number)
    # A parcel that was first known by a number keeps that name when it is relabeled.
    known = known or tuple(p for p in fitting if p.parcel == number)
    if known:
        return known
    for parcel in fitting:
        alone = len(parcels) == 1 or (package is not None and _package_of(parcel) == package)
        if alone and parcel.tracking_number is None:
            return (parcel,)
    return (Parcel(_free_name(parcels, number) if parcels else ONLY_PARCEL),)


def _package_of(told: Parcel | Update) -> int | None:
    """The number that a source gave the package among those of its order."""
    return None if told.details is None else told.details.number


def _free_name(parcels: tuple[Parcel, ...], name: str) -> str:
    taken = {p.parcel for p in parcels}
    names = (name, *(f"{name} ({n})" for n in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken)
