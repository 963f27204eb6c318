"""What a worker counts. Labels are lanes, kinds and outcomes; never tenants."""

from prometheus_client import Counter, Gauge, Histogram

STEP_SECONDS = Histogram(
    "circletake_step_seconds",
    "Time a step took on a worker",
    ["lane", "kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
STALE_BELLS = Counter("circletake_stale_bells_total", "Bells whose step was claimed already", ["lane"])
FENCES_LOST = Counter("circletake_fences_lost_total", "Steps that were taken from a worker", ["lane"])
SLOTS_FREE = Gauge("circletake_slots_free", "Free slots of this worker", ["lane"])
