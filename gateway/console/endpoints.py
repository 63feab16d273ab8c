"""The operator's API as one table: method, path, what it takes, what it gives, and who does it."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.console import acts, disputes, forecasts, markets, models, needs, registrations, views, works
from gateway.console import queue as waits
from gateway.console import words as w
from gateway.console.metrics import metrics
from gateway.console.seat import Seat
from gateway.console.status import status
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.trade_records import ORDERED
from gateway.coordination.zone import Resource
from ieee2030_5.admin.api import Api, Asked, Endpoint, Page
from ieee2030_5.admin.refusal import unknown


def _der(seat: Seat, asked: Asked) -> Resource:
    resources, name = seat.exchange.ground.zone.resources, asked.names["der"]
    if name not in resources:
        raise unknown("der", name, "`ampacity status ZONE` shows all")
    return resources[name]


def _view(seat: Seat, asked: Asked) -> w.DerView:
    resource = _der(seat, asked)
    return views.der(seat.situation(), resource, seat.protocols.get(resource.id, ""))


def _emergencies(seat: Seat) -> w.EmergencyList:
    held = seat.situation().book.emergencies
    found = [views.emergency_of(record) for record in reversed(held.records.values())]
    return w.EmergencyList(state=held.state.value, emergencies=found)


def _orders(seat: Seat) -> w.OrderBook:
    trade = seat.situation().book.trade
    standing = [r for r in trade.offers.values() if r.state is OrderState.OFFERED]
    owed = [one for resource in trade.owing for one in trade.of(resource) if one.source in ORDERED]
    return w.OrderBook(offers=list(map(markets.offer, standing)), orders=list(map(markets.instance, owed)))


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint(
        "GET",
        "/status",
        "The zone now: its resources, the newest decisions, the messages of this interval",
        lambda s, _, __: status(s),
        gives=w.StatusOut,
    ),
    Endpoint(
        "GET",
        "/der/{der}/view",
        "Everything about one resource: both markets, limits, controls, instructions, measurements",
        lambda s, a, _: _view(s, a),
        gives=w.DerView,
    ),
    Endpoint(
        "PUT",
        "/der/{der}/instruction",
        "Ask one resource for a box or a set point by hand",
        lambda s, a, b: acts.instruct(s, _der(s, a), b),
        w.InstructionIn,
        w.InstructionOut,
    ),
    Endpoint(
        "POST",
        "/der/{der}/withdrawal",
        "Ask nothing of a resource any more",
        lambda s, a, b: acts.withdraw(s, _der(s, a), b),
        w.Act,
        status=204,
    ),
    Endpoint(
        "GET",
        "/approvals",
        "What waits for an operator",
        lambda s, _, __: waits.waiting(s.situation()),
        gives=w.WaitingList,
    ),
    Endpoint(
        "POST",
        "/approvals/{action}",
        "Approve or reject what waits",
        lambda s, a, b: acts.rule(s, a.names["action"], b),
        w.RulingIn,
        w.WaitingList,
    ),
    Endpoint("GET", "/emergencies", "Emergencies", lambda s, _, __: _emergencies(s), gives=w.EmergencyList),
    Endpoint(
        "POST",
        "/emergencies",
        "Declare an emergency",
        lambda s, _, b: acts.declare(s, b),
        w.EmergencyIn,
        w.EmergencyOut,
        201,
    ),
    Endpoint(
        "POST",
        "/emergencies/{emergency}/clear",
        "End an emergency",
        lambda s, a, b: acts.clear(s, a.names["emergency"], b),
        w.Act,
        w.EmergencyOut,
    ),
    Endpoint("GET", "/orders", "Offers that stand, and orders", lambda s, _, __: _orders(s), gives=w.OrderBook),
    Endpoint(
        "POST", "/orders", "Order a part of an offer", lambda s, _, b: acts.order(s, b), w.OrderIn, w.InstanceOut, 201
    ),
    Endpoint(
        "POST",
        "/orders/{order}/revoke",
        "Take an order back that has not begun",
        lambda s, a, b: acts.revoke(s, a.names["order"], b),
        w.RevocationIn,
        w.InstanceOut,
    ),
    *registrations.ENDPOINTS,
    *works.ENDPOINTS,
    *models.ENDPOINTS,
    *forecasts.ENDPOINTS,
    *needs.ENDPOINTS,
    *disputes.ENDPOINTS,
)

NAMES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("der", "action", "emergency", "order"), w.Id),
    **works.NAMES,
    **models.NAMES,
    **disputes.NAMES,
}
"""Types of the variable parts of a path."""

OPERATOR: Final = Api(
    "Ampacity: operating a zone",
    ENDPOINTS,
    NAMES,
    (Page("/metrics", "Numbers of the running gateway, in the text format of Prometheus", metrics),),
)
