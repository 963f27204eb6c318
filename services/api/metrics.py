"""What the gateway counts. Labels are routes and outcomes; never tenants."""

from prometheus_client import Counter, Gauge, Histogram

from circletake.usecases.watch_queue import QueueView

REQUESTS = Counter(
    "circletake_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "circletake_http_request_seconds",
    "Time to answer",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)

QUEUE_STEPS = Gauge("circletake_queue_steps", "Steps in the queue at the last scrape", ["lane", "state"])
QUEUE_OLDEST = Gauge(
    "circletake_queue_oldest_ready_seconds", "How long the oldest ready step has been due", ["lane"]
)
QUEUE_SLOTS = Gauge("circletake_queue_slots", "Slots of the workers that are alive", ["lane"])
QUEUE_WORKERS = Gauge("circletake_queue_workers", "Workers that are alive", ["lane"])
DISPATCHER_ALIVE = Gauge("circletake_dispatcher_alive", "1 while a dispatcher leads and beats")
QUEUE_READ = Gauge("circletake_queue_read", "1 when the queue could be read at this scrape")


def show_queue(view: QueueView) -> None:
    for lane in view.lanes:
        for state in ("ready", "deferred", "rung", "running", "external", "dead"):
            QUEUE_STEPS.labels(lane.lane, state).set(getattr(lane, state))
        QUEUE_OLDEST.labels(lane.lane).set(lane.oldest_ready_seconds or 0)
        QUEUE_SLOTS.labels(lane.lane).set(lane.slots)
        QUEUE_WORKERS.labels(lane.lane).set(lane.workers)
    DISPATCHER_ALIVE.set(view.dispatcher_alive)
    QUEUE_READ.set(1)


def hide_queue() -> None:
    """Nothing is better than what was true some scrapes ago."""
    for gauge in (QUEUE_STEPS, QUEUE_OLDEST, QUEUE_SLOTS, QUEUE_WORKERS):
        gauge.clear()
    DISPATCHER_ALIVE.set(0)
    QUEUE_READ.set(0)
