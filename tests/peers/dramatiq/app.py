"""The Dramatiq peer: a no-op actor on RabbitMQ with results in Redis."""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

backend = RedisBackend(url=os.environ["BENCH_REDIS_URL"])
broker = RabbitmqBroker(url=os.environ["BENCH_AMQP_URL"])
broker.add_middleware(Results(backend=backend, store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def noop():
    """Does nothing; its result is stored."""
    return 0
