"""Every Prometheus metric of the operator; the only place they stand."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
"""Our own registry: nothing that a library registers by itself gets into /metrics."""
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

API_REQUESTS = Counter(
    "modelyard_api_requests_total",
    "Requests to the API server; code 0: no answer.",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
API_SECONDS = Histogram(
    "modelyard_api_request_seconds",
    "Time until the API server answered, watches excepted.",
    ["verb"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=REGISTRY,
)
RELISTS = Counter(
    "modelyard_watch_lists_total", "Full lists by a reflector.", ["resource"], registry=REGISTRY
)
WATCH_EVENTS = Counter(
    "modelyard_watch_events_total", "Watch events received.", ["resource", "type"], registry=REGISTRY
)
WATCH_AGE = Gauge(
    "modelyard_watch_age_seconds",
    "Time since a watch stream last gave a sign of life.",
    ["resource"],
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("modelyard_queue_depth", "Objects that wait for a worker.", registry=REGISTRY)
QUEUE_DELAYED = Gauge(
    "modelyard_queue_delayed", "Objects that wait for a later look or a retry.", registry=REGISTRY
)
QUEUE_SECONDS = Histogram(
    "modelyard_queue_seconds",
    "Time that a due object waited for a worker.",
    buckets=(0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60),
    registry=REGISTRY,
)
RECONCILES = Counter(
    "modelyard_reconciles_total",
    "Reconciles; result: settled, changed, waiting, conflict or error.",
    ["kind", "result"],
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "modelyard_reconcile_seconds",
    "Time of one reconcile.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
POISONED = Gauge(
    "modelyard_failing_objects", "Objects whose reconcile keeps failing.", ["kind"], registry=REGISTRY
)
OBJECTS = Gauge("modelyard_objects", "Objects of our kinds.", ["kind", "phase"], registry=REGISTRY)
CACHED = Gauge("modelyard_cached_objects", "Objects in the cache.", ["kind"], registry=REGISTRY)
LEADER = Gauge("modelyard_leader", "1 while this replica holds the lease.", registry=REGISTRY)
LOOP_LAG = Gauge("modelyard_event_loop_lag_seconds", "Newest lag of the event loop.", registry=REGISTRY)
EVENTS_SENT = Counter(
    "modelyard_events_total",
    "Kubernetes Events; result: sent, merged, dropped.",
    ["result"],
    registry=REGISTRY,
)
REPORTS = Counter(
    "modelyard_reports_total", "Progress reports by HTTP status.", ["status"], registry=REGISTRY
)
STORE_READY = Gauge(
    "modelyard_object_store_ready", "1 while the object store answers the operator.", registry=REGISTRY
)
BUCKETS_LEFT = Gauge(
    "modelyard_buckets_left",
    "Buckets of namespaces that are gone, kept by objectStore.reclaimPolicy.",
    registry=REGISTRY,
)
