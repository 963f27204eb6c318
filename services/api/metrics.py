"""What the gateway counts. Labels are routes and outcomes; never tenants."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "circletake_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "circletake_http_request_seconds",
    "Time to answer",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
