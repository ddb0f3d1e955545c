"""The Celery peer: a no-op task on RabbitMQ with results in Redis.

Settings are the strongest that keep the promises Zero Gate is measured with: persistent
messages, acknowledgement after the work, results kept. BENCH_QUEUE_TYPE=quorum also asks for
publisher confirms, as quorum queues are meant to be used.
"""

import os

from celery import Celery
from kombu import Queue

QUORUM = os.environ.get("BENCH_QUEUE_TYPE", "classic") == "quorum"

app = Celery("bench", broker=os.environ["BENCH_AMQP_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "32")),
    worker_hijack_root_logger=False,
    task_queues=[Queue("bench", queue_arguments={"x-queue-type": "quorum" if QUORUM else "classic"})],
    task_default_queue="bench",
    broker_transport_options={"confirm_publish": QUORUM},
    worker_detect_quorum_queues=QUORUM,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop():
    """Does nothing."""


@app.task
def collect(_results):
    """The one task after a fan-in: takes its parents' results and does nothing."""
