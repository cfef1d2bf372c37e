"""What is read: orders, their history, deliveries and what was not applied; never a secret."""

from milepost.insights.endpoint_views import EndpointView, HealthView, endpoint_view
from milepost.insights.life import OrderLife
from milepost.insights.reads import Insights
from milepost.insights.sent import HeaderView, SentView
from milepost.insights.truth import AcknowledgedView, EndpointTruth, OrderTruth, Standing
from milepost.insights.views import (
    AttemptView,
    ContractView,
    DeliveryDetail,
    DeliveryView,
    EventView,
    OrderSummary,
    OrderView,
    ParcelView,
    QuarantineView,
    QueuedView,
    ScheduleView,
    StoreView,
    contract_view,
    delivery_view,
    event_view,
    order_summary,
    order_view,
    store_view,
)

__all__ = [
    "AcknowledgedView",
    "AttemptView",
    "ContractView",
    "DeliveryDetail",
    "DeliveryView",
    "EndpointTruth",
    "EndpointView",
    "EventView",
    "HeaderView",
    "HealthView",
    "Insights",
    "OrderLife",
    "OrderSummary",
    "OrderTruth",
    "OrderView",
    "ParcelView",
    "QuarantineView",
    "QueuedView",
    "ScheduleView",
    "SentView",
    "Standing",
    "StoreView",
    "contract_view",
    "delivery_view",
    "endpoint_view",
    "event_view",
    "order_summary",
    "order_view",
    "store_view",
]
