"""How schemathesis sends the media types that it does not know, and half of its requests so that there is something to go on from."""
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


def is_sane(value):
    """Half of what is generated, the same half for the same seed."""
    return len(repr(value)) % 2 == 0


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    if path_parameters and "model" in path_parameters and is_sane(path_parameters):
        return {**path_parameters, "model": MODEL, **({"version": "v1.0.0"} if "version" in path_parameters else {})}
    return path_parameters


@schemathesis.hook
def map_query(ctx, query):
    # A cursor that nobody gave out is refused, and with it all that could follow from the list.
    return {} if query and ctx.operation.method == "get" and is_sane(query) else query


@schemathesis.hook
def map_body(ctx, body):
    content = (ctx.operation.definition.raw.get("requestBody") or {}).get("content") or {}
    example = (content.get("application/json") or {}).get("example")
    return example if isinstance(body, dict) and example is not None and is_sane(body) else body
