"""The OpenAI SDK: every failure raises its right exception class, and the gateway lives on."""

import time

import openai

from case import EVERYWHERE, GATEWAY, KEY, NARROW_KEY, OUTSIDE, POOR_KEY, each, marker
from test_openai import BASE_URL, OpenAI, user


@each(*EVERYWHERE)
class Errors(OpenAI):
    def raises(self, kind, model, **given):
        with self.assertRaises(kind) as caught:
            self.ask(model, given.pop("messages", "x"), **given)
        self.assertIs(type(caught.exception), kind)
        return caught.exception

    def test_statuses_of_the_provider(self):
        rows = [
            ("status-400", openai.BadRequestError, 400),
            ("status-404", openai.NotFoundError, 404),
            ("status-422", openai.UnprocessableEntityError, 422),
            ("status-500", openai.InternalServerError, 500),
            ("status-503", openai.InternalServerError, 503),
            # A load balancer's page: the class of the status is kept, which one is not promised.
            ("html-502", openai.InternalServerError, None),
        ]
        for model, kind, status in rows:
            for stream in (False, True):
                with self.subTest(model=model, stream=stream):
                    error = self.raises(kind, self.failing(model), stream=stream)
                    self.assertEqual(error.status_code, status or error.status_code)
                    self.assertTrue(error.message)

    def test_overloaded(self):
        self.assertGreaterEqual(self.raises(openai.InternalServerError, self.failing("status-529")).status_code, 500)

    def test_prompt_too_long(self):
        self.assertEqual(self.raises(openai.BadRequestError, self.failing("context-length")).code, "context_length_exceeded")

    def test_malformed_requests(self):
        rows = [{"messages": 7}, {"messages": []}, {"messages": [{"content": "x"}]}, {"messages": [user("x")], "temperature": "hot"}, {}]
        for row in rows:
            with self.subTest(row=row), self.assertRaises(openai.BadRequestError):
                self.client.post("/chat/completions", body={"model": self.model("echo"), **row}, cast_to=object)

    def test_error_in_the_stream(self):
        for fault in ("error-event-after-10-chunks", "error-event"):
            model = self.failing(fault)
            with self.subTest(fault=fault):
                text = ""
                with self.assertRaises(openai.APIError):
                    for chunk in self.ask(model, "x", stream=True):
                        text += chunk.choices[0].delta.content or "" if chunk.choices else ""
                self.assertTrue(text, "what came before the error was withheld")

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
            with self.subTest(fault=fault), self.assertRaises(openai.APIError):
                for _ in self.ask(self.failing(fault), "x", stream=True):
                    pass

    def test_broken_answers_are_never_a_success(self):
        for fault in ("truncated-json", "close-mid-body", "reset-mid-body", "html-200", "error-in-200") if GATEWAY else []:
            with self.subTest(fault=fault):
                self.assertGreaterEqual(self.raises(openai.InternalServerError, self.failing(fault)).status_code, 500)


@each(*OUTSIDE)
class Limits(OpenAI):
    """Each at a provider of its own: the gateway leaves it alone afterwards."""

    def limited(self, name, **given):
        with self.assertRaises(openai.RateLimitError) as caught:
            self.client.chat.completions.create(model=self.fresh(name), messages=[user("x")], **given)
        return caught.exception

    def test_rate_limited_with_the_time_to_wait(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                self.assertIn(self.limited("status-429-retry-7", stream=stream).response.headers["retry-after"], ("6", "7"))

    def test_quota(self):
        error = self.limited("quota-exceeded")
        if not self.crossed:
            self.assertEqual(error.code, "insufficient_quota")
        if GATEWAY:
            self.assertEqual(error.response.headers["x-should-retry"], "false")


@each(*OUTSIDE)
class Patience(OpenAI):
    """Time: whose it is, and what happens when it is over."""

    def test_the_callers_timeout(self):
        began = time.monotonic()
        with self.assertRaises(openai.APITimeoutError):
            self.client.with_options(timeout=0.5).chat.completions.create(
                model=self.model("lorem-33+slow-first-byte-5s"), messages=[user("x")]
            )
        self.assertLess(time.monotonic() - began, 3)
        self.assert_cancelled("lorem-33+slow-first-byte-5s", within_seconds=2)
        self.assertEqual(self.ask("echo", "Still there?").choices[0].message.content, "Still there?")

    def test_the_gateways_timeout(self):
        if GATEWAY:
            for stream in (False, True):
                began = time.monotonic()
                with self.subTest(stream=stream), self.assertRaises(openai.InternalServerError) as caught:
                    self.client.chat.completions.create(
                        model=self.route("impatient"), messages=[user("x")], stream=stream
                    )
                self.assertEqual(caught.exception.status_code, 504)
                self.assertLess(time.monotonic() - began, 3)

    def test_a_provider_that_stalls_in_mid_stream(self):
        if GATEWAY:
            began = time.monotonic()
            with self.assertRaises(openai.APIError):
                model = self.route("impatient-midway")
                for _ in self.client.chat.completions.create(model=model, messages=[user("x")], stream=True):
                    pass
            self.assertLess(time.monotonic() - began, 4)

    def test_a_caller_who_leaves(self):
        for stream in ("stream-300-21ms", "stream-300-22ms"):
            with self.subTest(stream=stream):
                answer = self.ask(stream, "x", stream=True)
                for _, _ in zip(range(5), answer):
                    pass
                answer.close()
                self.assert_cancelled(stream, within_seconds=1)

    def test_retries_of_the_sdk(self):
        """What the gateway tried is not tried again by the SDK, and what it did not try is."""
        if GATEWAY:
            word = marker()
            with self.assertRaises(openai.InternalServerError) as caught:
                self.client.with_options(max_retries=2).chat.completions.create(
                    model=self.route("once"), messages=[user(word)]
                )
            asked = len(self.all_received(word))
            if caught.exception.response.headers.get("x-should-retry") == "false":
                self.assertEqual(asked, 1)
            else:
                self.assertEqual(asked, 3)
            word = marker()
            with self.assertRaises(openai.InternalServerError) as caught:
                self.client.with_options(max_retries=2).chat.completions.create(
                    model=self.model(self.failing("status-503")), messages=[user(word)]
                )
            self.assertEqual(caught.exception.response.headers.get("x-should-retry"), "false")
            self.assertIn(len(self.all_received(word)), range(1, 4), "attempts were multiplied")


@each("mock", direct=None)
class Access(OpenAI):
    """What only a gateway refuses."""

    def call(self, key, model, **given):
        with openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0) as client:
            return client.chat.completions.create(model=model, messages=[user("x")], **given)

    def test_bad_keys(self):
        for key in ("wrong", "tg-wrong-key-0123456789", KEY + "x", KEY[:-1]):
            for stream in (False, True):
                with self.subTest(key=key, stream=stream), self.assertRaises(openai.AuthenticationError) as caught:
                    self.call(key, "mock/echo", stream=stream)
            self.assertEqual((caught.exception.status_code, caught.exception.code), (401, "invalid_api_key"))

    def test_unknown_models(self):
        for model in ("nonsense", "nowhere/echo", "mock/echo+nonsense"):
            with self.subTest(model=model), self.assertRaises(openai.NotFoundError) as caught:
                self.call(KEY, model)
            self.assertEqual(caught.exception.code, "model_not_found")

    def test_forbidden_models(self):
        self.assertEqual(self.call(NARROW_KEY, "mock/echo").choices[0].message.content, "x")
        for model in ("via-openai/echo", "mock/lorem-5", "fallback-via-openai-openai"):
            with self.subTest(model=model), self.assertRaises(openai.PermissionDeniedError) as caught:
                self.call(NARROW_KEY, model)
            self.assertEqual(caught.exception.code, "model_not_allowed")

    def poor(self, model, test, retries):
        """Asks as one who is poor: the answer or the error, and how long it took."""
        headers = {"x-tollgate-tags": f"test={test}"}
        began = time.monotonic()
        with openai.OpenAI(base_url=BASE_URL, api_key=POOR_KEY, max_retries=retries, default_headers=headers) as client:
            try:
                said = client.chat.completions.create(model=model, messages=[user("x")])
            except openai.APIStatusError as error:
                said = error
        return said, time.monotonic() - began

    def test_no_money_is_not_asked_for_again(self):
        error, took = self.poor("cent", marker(), 5)
        self.assertIs(type(error), openai.APIStatusError)
        self.assertEqual((error.status_code, error.code), (402, "request_exceeds_budget"))
        self.assertEqual(error.body["details"]["rule"], "poor")
        # Five retries would have paused for several seconds.
        self.assertLess(took, 1.5)

    def test_a_limit_is_a_rate_limit(self):
        test = marker()
        self.assertEqual(self.poor("rare", test, 0)[0].choices[0].message.content, "x")
        error, _ = self.poor("rare", test, 0)
        self.assertIs(type(error), openai.RateLimitError)
        self.assertEqual((error.code, error.response.headers["x-ratelimit-remaining-requests"]), ("rate_limit_exceeded", "0"))
        self.assertEqual((error.body["details"]["rule"], error.body["details"]["scope_id"]), ("seldom", test))

    def test_too_large(self):
        with self.assertRaises(openai.APIStatusError) as caught:
            self.ask("echo", "x" * (2 << 20))
        self.assertEqual(caught.exception.status_code, 413)
        self.assertEqual(self.ask("echo", "Still there?").choices[0].message.content, "Still there?")

    def test_unknown_paths(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.post("/nonsense", body={}, cast_to=object)
