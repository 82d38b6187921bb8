"""How schemathesis sends the media types that it does not know."""
import schemathesis


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return as_bytes(value)


@schemathesis.serializer("application/vnd.apache.arrow.stream")
def arrow(ctx, value):
    return as_bytes(value)
