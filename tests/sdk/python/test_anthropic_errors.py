"""The Anthropic SDK: every failure raises its right exception class, and the gateway lives on."""

import time

import anthropic
from anthropic import _exceptions as kinds

from case import EVERYWHERE, GATEWAY, KEY, NARROW_KEY, OUTSIDE, POOR_KEY, each, marker
from test_anthropic import BASE_URL, Anthropic, user

#: The class was renamed between the two major versions.
TOO_LARGE = getattr(kinds, "ContentTooLargeError", None) or kinds.RequestTooLargeError
UNAVAILABLE = (kinds.InternalServerError, kinds.ServiceUnavailableError)
TIMED_OUT = (kinds.InternalServerError, getattr(kinds, "GatewayTimeoutError", None) or kinds.DeadlineExceededError)


@each(*EVERYWHERE)
class Errors(Anthropic):
    def raises(self, kind, model, **given):
        with self.assertRaises(kind) as caught:
            self.ask(model, given.pop("messages", "x"), **given)
        return caught.exception

    def test_statuses_of_the_provider(self):
        rows = [
            ("status-400", anthropic.BadRequestError, (400,)),
            ("status-404", anthropic.NotFoundError, (404,)),
            ("status-500", anthropic.InternalServerError, (500,)),
            # OpenAI's own text of a 503 says that it is overloaded, for which Anthropic has a status.
            ("status-503", (*UNAVAILABLE, kinds.OverloadedError), (529, 503) if self.crossed else (503,)),
            # A load balancer's page: the class of the status is kept, which one is not promised.
            ("html-502", UNAVAILABLE, (502, 503)),
        ]
        for model, kind, statuses in rows:
            for stream in (False, True):
                with self.subTest(model=model, stream=stream):
                    error = self.raises(kind, self.failing(model), stream=stream)
                    self.assertIn(error.status_code, statuses)
                    if GATEWAY:  # else the page of the load balancer itself
                        self.assertEqual(error.body["type"], "error")
                        self.assertIn("message", error.body["error"])

    def test_overloaded(self):
        error = self.raises((kinds.OverloadedError, *UNAVAILABLE), self.failing("status-529"))
        if not self.crossed:
            self.assertIsInstance(error, kinds.OverloadedError)

    def test_prompt_too_long(self):
        self.raises(anthropic.BadRequestError, self.failing("context-length"))

    def test_malformed_requests(self):
        messages = [user("x")]
        rows = [
            {"messages": 7, "max_tokens": 5},
            {"messages": [], "max_tokens": 5},
            {"messages": [{"content": "x"}], "max_tokens": 5},
            {"messages": messages, "max_tokens": "many"},
            {"max_tokens": 5},
        ]
        for row in rows:
            with self.subTest(row=row), self.assertRaises(anthropic.BadRequestError):
                self.client.post("/v1/messages", body={"model": self.model("echo"), **row}, cast_to=object)

    def test_error_in_the_stream(self):
        for fault in ("error-event-after-10-chunks", "error-event"):
            model = self.failing(fault)
            with self.subTest(fault=fault):
                said = ""
                with self.assertRaises(anthropic.APIError):
                    for event in self.ask(model, "x", stream=True):
                        if event.type == "content_block_delta":
                            said += event.delta.text
                self.assertTrue(said, "what came before the error was withheld")
                with self.assertRaises(anthropic.APIError):
                    self.stream(model, "x")

    def test_broken_streams_are_never_a_success(self):
        rows = [
            "cut-after-5-chunks",
            "end-after-5-chunks",
            "reset-after-5-chunks",
            "no-finish",
            "no-terminator",
            "truncated-json",
            "malformed-sse",
        ]
        for fault in rows if GATEWAY else []:
            with self.subTest(fault=fault), self.assertRaises(anthropic.APIError):
                self.stream(self.failing(fault), "x")

    def test_broken_answers_are_never_a_success(self):
        for fault in ("truncated-json", "close-mid-body", "reset-mid-body", "html-200", "error-in-200") if GATEWAY else []:
            with self.subTest(fault=fault):
                self.assertGreaterEqual(self.raises(anthropic.APIStatusError, self.failing(fault)).status_code, 500)


@each(*OUTSIDE)
class Limits(Anthropic):
    """Each at a provider of its own: the gateway leaves it alone afterwards."""

    def test_rate_limited_with_the_time_to_wait(self):
        for stream in (False, True):
            with self.subTest(stream=stream), self.assertRaises(anthropic.RateLimitError) as caught:
                self.client.messages.create(
                    model=self.fresh("status-429-retry-7"), messages=[user("x")], max_tokens=50, stream=stream
                )
            self.assertIn(caught.exception.response.headers["retry-after"], ("6", "7"))


@each(*OUTSIDE)
class Patience(Anthropic):
    """Time: whose it is, and what happens when it is over."""

    def test_the_callers_timeout(self):
        began = time.monotonic()
        with self.assertRaises(anthropic.APITimeoutError):
            self.client.with_options(timeout=0.5).messages.create(
                model=self.model("lorem-34+slow-first-byte-5s"), messages=[user("x")], max_tokens=50
            )
        self.assertLess(time.monotonic() - began, 3)
        self.assert_cancelled("lorem-34+slow-first-byte-5s", within_seconds=2)
        self.assertEqual(self.ask("echo", "Still there?").content[0].text, "Still there?")

    def test_the_gateways_timeout(self):
        if GATEWAY:
            for stream in (False, True):
                began = time.monotonic()
                with self.subTest(stream=stream), self.assertRaises(TIMED_OUT) as caught:
                    model = self.route("impatient")
                    self.client.messages.create(model=model, messages=[user("x")], max_tokens=50, stream=stream)
                self.assertEqual(caught.exception.status_code, 504)
                self.assertLess(time.monotonic() - began, 3)

    def test_a_provider_that_stalls_in_mid_stream(self):
        if GATEWAY:
            began = time.monotonic()
            model = self.route("impatient-midway")
            with self.assertRaises(anthropic.APIError):
                for _ in self.client.messages.create(model=model, messages=[user("x")], max_tokens=50, stream=True):
                    pass
            self.assertLess(time.monotonic() - began, 4)

    def test_a_caller_who_leaves(self):
        for model in ("stream-300-23ms", "stream-300-24ms"):
            with self.subTest(model=model):
                answer = self.ask(model, "x", stream=True)
                for _, _ in zip(range(5), answer):
                    pass
                answer.close()
                self.assert_cancelled(model, within_seconds=1)

    def test_retries_of_the_sdk(self):
        """What the gateway tried is not tried again by the SDK."""
        if GATEWAY:
            word = marker()
            with self.assertRaises((*UNAVAILABLE, kinds.OverloadedError)) as caught:
                self.client.with_options(max_retries=2).messages.create(
                    model=self.model(self.failing("status-503")), messages=[user(word)], max_tokens=50
                )
            self.assertEqual(caught.exception.response.headers.get("x-should-retry"), "false")
            self.assertIn(len(self.all_received(word)), range(1, 4), "attempts were multiplied")


@each("mock", direct=None)
class Access(Anthropic):
    """What only a gateway refuses."""

    def call(self, key, model, **given):
        with anthropic.Anthropic(base_url=BASE_URL, api_key=key, max_retries=0) as client:
            return client.messages.create(model=model, messages=[user("x")], max_tokens=50, **given)

    def test_bad_keys(self):
        for key in ("wrong", "tg-wrong-key-0123456789", KEY + "x", KEY[:-1]):
            for stream in (False, True):
                with self.subTest(key=key, stream=stream), self.assertRaises(anthropic.AuthenticationError) as caught:
                    self.call(key, "mock/echo", stream=stream)
            self.assertEqual(caught.exception.body["error"]["type"], "authentication_error")

    def test_unknown_models(self):
        for model in ("nonsense", "nowhere/echo", "mock/echo+nonsense"):
            with self.subTest(model=model), self.assertRaises(anthropic.NotFoundError) as caught:
                self.call(KEY, model)
            self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")

    def test_no_money_is_not_asked_for_again(self):
        began = time.monotonic()
        with anthropic.Anthropic(base_url=BASE_URL, api_key=POOR_KEY, max_retries=5) as client:
            with self.assertRaises(anthropic.APIStatusError) as caught:
                client.messages.create(model="cent", messages=[user("x")], max_tokens=50)
        error = caught.exception.body["error"]
        self.assertEqual((caught.exception.status_code, error["type"]), (402, "billing_error"))
        self.assertEqual(error["details"]["code"], "request_exceeds_budget")
        self.assertLess(time.monotonic() - began, 1.5)

    def test_forbidden_models(self):
        self.assertEqual(self.call(NARROW_KEY, "mock/echo").content[0].text, "x")
        for model in ("via-openai/echo", "mock/lorem-5", "fallback-via-openai-openai"):
            with self.subTest(model=model), self.assertRaises(anthropic.PermissionDeniedError) as caught:
                self.call(NARROW_KEY, model)
            self.assertEqual(caught.exception.body["error"]["type"], "permission_error")

    def test_too_large(self):
        with self.assertRaises(TOO_LARGE):
            self.ask("echo", "x" * (2 << 20))
        self.assertEqual(self.ask("echo", "Still there?").content[0].text, "Still there?")

    def test_unknown_paths(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.client.post("/v1/nonsense", body={}, cast_to=object)
