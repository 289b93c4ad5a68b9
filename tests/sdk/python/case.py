"""What every test here has: clients, model names for its provider, and a look at what reached the simulator.

A test class is made three times: for the simulator inside the gateway (it answers in the caller's dialect), and for one endpoint of
each dialect outside. So every test runs in its own dialect and across.
"""

import itertools
import json
import os
import sys
import time
import unittest
import urllib.request
import uuid

SIMULATOR = os.environ["TESTS_SIMULATOR"]
#: Absent: the tests talk to the simulator itself, to be tested themselves.
GATEWAY = os.environ.get("TESTS_GATEWAY")
KEY, NARROW_KEY, POOR_KEY = (os.environ[f"TESTS_{name}KEY"] for name in ("", "NARROW_", "POOR_"))
FRESH, FAILING = itertools.count(), itertools.count(60)
OUTSIDE = ("via-openai", "via-anthropic")
EVERYWHERE = ("mock", *OUTSIDE)

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PIXEL_BYTES = 70
PDF = "JVBERi0xLjEKMSAwIG9iajw8Pj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER_ARGUMENTS = {"city": "sample city", "days": 1}


def each(*providers, direct="direct"):
    """Makes a test class once for every provider; without a gateway once, or not at all when only a gateway has what it tests."""

    def make(base):
        module = sys.modules[base.__module__]
        for provider in providers if GATEWAY else filter(None, [direct]):
            name = f"{base.__name__}_{provider.replace('-', '_')}"
            setattr(module, name, type(name, (base,), {"provider": provider, "__module__": base.__module__}))

    return make


def simulator(path):
    """A page of the simulator."""
    with urllib.request.urlopen(SIMULATOR + path, timeout=10) as answer:
        return json.loads(answer.read())


def marker():
    """A word that no other request has."""
    return f"m{uuid.uuid4().hex}"


class Case(unittest.TestCase):
    """A test with a provider."""

    provider = None
    sdk = None
    maxDiff = 2000

    def model(self, name):
        """The model of that name at this test's provider."""
        return f"{self.provider}/{name}" if GATEWAY else name

    def fresh(self, name):
        """The model of that name at a provider of the same kind that nobody has used: what it says puts it aside for a while."""
        return f"{self.provider}-{next(FRESH)}/{name}" if GATEWAY else name

    def failing(self, fault):
        """The name of a model that fails in this way. The gateway remembers which ones do, so that none is used twice."""
        return f"lorem-{next(FAILING)}+{fault}"

    def route(self, name):
        """The route of that name for this provider and this SDK."""
        return f"{name}-{self.provider}-{self.sdk}"

    def outside(self):
        """Whether what was received can be looked at."""
        return self.provider != "mock"

    def received(self, word):
        """The newest request with that word that reached the simulator: (headers, body, body as text)."""
        found = self.all_received(word)
        self.assertTrue(found, "the request did not reach the provider")
        newest = found[0]
        return {name.lower(): value for name, value in newest["headers"]}, json.loads(newest["body"]), newest["body"]

    def all_received(self, word):
        """All of them, the newest first."""
        return [request for request in simulator("/requests/last?n=64")["requests"] if word in request.get("body", "")]

    def assert_cancelled(self, model, within_seconds):
        """The simulator's bill says that the last caller of that model left."""
        deadline = time.monotonic() + within_seconds
        while True:
            lines = [line for line in simulator("/bill")["requests"] if line["model"] == model]
            if lines and lines[-1]["cancelled"]:
                return
            self.assertLess(time.monotonic(), deadline, f"not cancelled: {lines[-1:]}")
            time.sleep(0.02)
