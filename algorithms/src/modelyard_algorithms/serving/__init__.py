"""The model server: KServe's v1 and v2 protocols, and the forms of request that came before them.

    GET  /                              liveness                                     open
    GET  /metrics                       Prometheus                                   open
    GET  /v2/health/live                liveness                                     open
    GET  /v2/health/ready               readiness; 503 once SIGTERM has come         open
    GET  /v1/models/<model>             readiness of the model, likewise             open
    GET  /v2/models/<model>/ready       readiness of the model, likewise             open
    POST /v1/models/<model>:predict     v1 JSON, or multipart field ``input``        token
    POST /v2/models/<model>/infer       v2 JSON or binary extension                  token
    POST /predict, POST /inference      as the hosted services answer                token
    everything else                                                                  token

The token comes in the header ``token`` or as ``Authorization: Bearer``. Every error is a JSON object
with one sentence under "error". ``forms`` has the forms of request, one module each.

A request's way: ``gate`` (token, size, disconnects), then KServe's endpoints or our own (``server``,
``model``), then ``pipeline``: a form parses it, the predictor decodes, ``batcher`` runs samples of several
requests together, the predictor answers, and the form renders the response.
"""
