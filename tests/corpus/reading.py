"""Reads an answer with the official SDKs exactly as the corpus' own `expect.py` does, but through another server.

`expect.py` is run as it is; only where its requests go to is changed, below the SDK, in the HTTP transport: its address
`/r/ID/…` becomes the gateway's, and the model's name chooses the record (`PROVIDER/corpus~ID`).
"""

import importlib.util
import json
import sys
import types

import anthropic
import httpx2
import openai

import records

#: No answer here takes long; a stuck one must not hold the suite.
ANSWER_SECONDS_MAX = 60


def tool(name, *arguments):
    """One of the corpus' scripts as a module; they read their arguments while they are imported."""
    before, sys.argv = sys.argv, [name, *arguments]
    sys.path.insert(0, str(records.TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(name, records.TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.argv = before
        sys.path.remove(str(records.TOOLS))


class Redirected(httpx2.BaseTransport):
    """Sends what is addressed to `/r/UPSTREAM~ID/PATH` to `base` + PATH instead, with the model that chooses the record."""

    def __init__(self, base, key):
        self.base, self.key = base, key
        self.pool = httpx2.HTTPTransport(limits=httpx2.Limits(max_connections=64))

    def handle_request(self, request):
        _, _, choice, path = request.url.raw_path.decode().split("/", 3)
        upstream, record = choice.split("~", 1)
        body = json.loads(request.read())
        body["model"] = f"{upstream}/corpus~{record}" if upstream else f"corpus~{record}"
        if path.startswith("v1/chat") and body.get("stream"):
            # The recordings hold what the provider sent; the usage chunk reaches only callers who ask for it.
            body["stream_options"] = {"include_usage": True}
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.lower() not in (b"host", b"content-length", b"authorization", b"x-api-key")
        ]
        headers.append((b"authorization", f"Bearer {self.key}".encode()))
        forwarded = httpx2.Request(
            "POST", f"{self.base}/{path}", headers=headers, content=json.dumps(body), extensions=request.extensions
        )
        return self.pool.handle_request(forwarded)

    def close(self):
        self.pool.close()


class Reader:
    """Both official SDKs, reading through one server."""

    def __init__(self, base, key, through_gateway=True):
        self.through_gateway = through_gateway
        client = httpx2.Client(transport=Redirected(base, key), timeout=ANSWER_SECONDS_MAX)
        self.expect = tool("expect", "http://redirected.invalid", "", "")
        self.expect.openai = types.SimpleNamespace(OpenAI=lambda **given: openai.OpenAI(http_client=client, **given))
        self.expect.anthropic = types.SimpleNamespace(
            Anthropic=lambda **given: anthropic.Anthropic(http_client=client, **given)
        )
        self.readers = {"openai_chat": self.expect.o_chat, "anthropic": self.expect.a_msg}

    def read(self, exchange, dialect):
        """(view, None), or (None, error) in the words of `expect/`."""
        upstream = exchange.upstream if self.through_gateway else ""
        record = {"id": f"{upstream}~{exchange.id}", "stream": exchange.stream}
        try:
            # Through JSON, as the expectations went.
            return json.loads(json.dumps(self.readers[dialect](record), default=str)), None
        except Exception as error:  # whatever class the SDK raises is what is compared
            return None, self.expect.err(error)
