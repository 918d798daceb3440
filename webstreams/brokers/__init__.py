"""Message brokers as streams. A message is acknowledged when the pipeline has done its work, never before.

The parts that need no broker are here. `rabbitmq`, `kafka`, `nats` and `redis` are modules over the clients that people
use (aio-pika, aiokafka, nats-py, redis-py), each of which is an extra: ``pip install "webstreams[rabbitmq]"``. Not in
the Standard.
"""

from ._publishing import Publisher
from ._source import Deliveries
from .acknowledging import OnFailure, acknowledging
from .delivery import Delivery, DeliveryLost, Outcome, Settlement
from .resilience import ResilientStream, exponential_backoff, resilient
from .values import ValuePair, on_value

__all__ = [
    "Deliveries",
    "Delivery",
    "DeliveryLost",
    "OnFailure",
    "Outcome",
    "Publisher",
    "ResilientStream",
    "Settlement",
    "ValuePair",
    "acknowledging",
    "exponential_backoff",
    "on_value",
    "resilient",
]
