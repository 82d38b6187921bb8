"""How schemathesis sends the media types that it does not know, and chains of calls so that there is something to go on from."""
import os

import schemathesis

# Served by the target (TARGET_MODEL of fuzz-target.ts).
MODEL = "project_success"


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return as_bytes(value)


@schemathesis.serializer("application/vnd.apache.arrow.stream")
def arrow(ctx, value):
    return as_bytes(value)


# A call that is refused leads nowhere: chains send what the document gives as examples.
IS_CHAINED = os.environ.get("FUZZ_CHAINS") == "1"


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    if IS_CHAINED and path_parameters and "model" in path_parameters:
        return {**path_parameters, "model": MODEL, **({"version": "v1.0.0"} if "version" in path_parameters else {})}
    return path_parameters


@schemathesis.hook
def map_query(ctx, query):
    # A cursor that nobody gave out is refused, and with it all that could follow from the list.
    return {} if IS_CHAINED and query and ctx.operation.method == "get" else query


@schemathesis.hook
def map_body(ctx, body):
    content = (ctx.operation.definition.raw.get("requestBody") or {}).get("content") or {}
    example = (content.get("application/json") or {}).get("example")
    return example if IS_CHAINED and isinstance(body, dict) and example is not None else body
