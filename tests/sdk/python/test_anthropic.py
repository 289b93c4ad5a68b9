"""The Anthropic SDK: what an application does with answers. Errors are in test_anthropic_errors.py."""

import asyncio
import json

import anthropic
import pydantic

from case import EVERYWHERE, GATEWAY, KEY, OUTSIDE, PDF, PIXEL, PIXEL_BYTES, SIMULATOR, WEATHER, WEATHER_ARGUMENTS, Case, each, marker

BASE_URL = GATEWAY or SIMULATOR + "/anthropic"
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}


class Weather(pydantic.BaseModel):
    city: str
    days: int


class Forecast(pydantic.BaseModel):
    """Nested, with a list and a choice."""

    summary: str
    places: list[Weather]
    unit: str | None


def user(content):
    return {"role": "user", "content": content}


def text(said):
    return {"type": "text", "text": said}


def tool(name, schema=WEATHER):
    return {"name": name, "description": f"Gets {name}.", "input_schema": schema}


class Anthropic(Case):
    """A client, and a shorter way to call it."""

    sdk = "anthropic"

    @classmethod
    def setUpClass(cls):
        cls.client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    @property
    def crossed(self):
        return self.provider == "via-openai"

    def ask(self, model, messages, **given):
        messages = [user(messages)] if isinstance(messages, str) else messages
        return self.client.messages.create(**{"model": self.model(model), "messages": messages, "max_tokens": 1000, **given})

    def stream(self, model, messages, **given):
        """The final message as the SDK's helper gathers it."""
        messages = [user(messages)] if isinstance(messages, str) else messages
        given = {"model": self.model(model), "messages": messages, "max_tokens": 1000, **given}
        with self.client.messages.stream(**given) as stream:
            return stream.get_final_message()

    def both(self, model, messages, **given):
        """The whole answer, and the same as a stream."""
        return self.ask(model, messages, **given), self.stream(model, messages, **given)


@each(*EVERYWHERE)
class Messages(Anthropic):
    def test_whole_and_stream(self):
        for said in self.both("echo", "Grüße, 世界! 👋"):
            self.assertEqual([block.type for block in said.content], ["text"])
            self.assertEqual(said.content[0].text, "Grüße, 世界! 👋")
            self.assertEqual((said.type, said.role, said.stop_reason), ("message", "assistant", "end_turn"))
            self.assertTrue(said.id)
            self.assertGreater(said.usage.input_tokens, 0)
            self.assertGreater(said.usage.output_tokens, 0)

    def test_stream_is_the_whole_in_pieces(self):
        whole = self.ask("lorem-200", "x")
        with self.client.messages.stream(model=self.model("lorem-200"), messages=[user("x")], max_tokens=1000) as stream:
            pieces = list(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual("".join(pieces), whole.content[0].text)
        self.assertEqual(final.content[0].text, whole.content[0].text)
        self.assertGreater(len(pieces), 50, "the stream was gathered before it was passed on")
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)
        self.assertEqual(final.usage.input_tokens, whole.usage.input_tokens)

    def test_order_of_events(self):
        events = [event for event in self.ask("lorem-20", "x", stream=True) if event.type != "ping"]
        kinds = [event.type for event in events]
        self.assertEqual(kinds[:2], ["message_start", "content_block_start"])
        self.assertEqual(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"])
        self.assertEqual(set(kinds[2:-3]), {"content_block_delta"})
        self.assertEqual(events[0].message.content, [])
        self.assertIsNone(events[0].message.stop_reason)
        self.assertEqual({event.index for event in events if hasattr(event, "index")}, {0})

    def test_usage_is_kept_with_its_cached_part(self):
        for said in self.both("usage-1000-20-300", "x"):
            usage = said.usage
            self.assertEqual((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (700, 300, 20))

    def test_text_that_breaks_at_byte_boundaries(self):
        whole = self.ask("unicode", "x").content[0].text
        self.assertIn("👩‍👩‍👧‍👦", whole)
        for model in ("unicode", "unicode+sse-split-1", "unicode+sse-comments", "unicode+sse-crlf", "unicode+sse-no-space"):
            with self.subTest(model=model):
                self.assertEqual(self.stream(model, "x").content[0].text, whole)

    def test_several_turns(self):
        word = marker()
        turns = [user(word), {"role": "assistant", "content": [text("Noted.")]}, user([text("And "), text("now?")])]
        self.assertEqual(self.ask("echo", turns).content[0].text, "And now?")
        if self.outside():
            messages = self.received(word)[1]["messages"]
            self.assertEqual([message["role"] for message in messages], ["user", "assistant", "user"])
            self.assertIn("Noted.", json.dumps(messages))

    def test_system(self):
        for system in ("Be brief. ", [text("Be "), text("brief. ")]):
            with self.subTest(system=system):
                word = marker()
                marked = system + word if isinstance(system, str) else [*system, text(word)]
                self.assertEqual(self.ask("echo", "Hello", system=marked).content[0].text, "Hello")
                if self.outside():
                    body = self.received(word)[1]
                    where = body["messages"][0] if self.crossed else body["system"]
                    self.assertIn(word, json.dumps(where))
                    if self.crossed:
                        self.assertIn(where["role"], ("system", "developer"))

    def test_stop_sequences(self):
        for said in self.both("echo", "one two HALT three", stop_sequences=["never", "HALT"]):
            self.assertEqual(said.content[0].text.strip(), "one two")
            if self.crossed:
                self.assertIn(said.stop_reason, ("end_turn", "stop_sequence"))
            else:
                self.assertEqual((said.stop_reason, said.stop_sequence), ("stop_sequence", "HALT"))

    def test_length(self):
        for said in self.both("lorem-200", "x", max_tokens=10):
            self.assertEqual((said.stop_reason, said.usage.output_tokens), ("max_tokens", 10))

    def test_empty_answer(self):
        for said in self.both("empty", "x"):
            self.assertEqual("".join(block.text for block in said.content), "")
            self.assertEqual(said.stop_reason, "end_turn")

    def test_refusal(self):
        for model in ("refuser", "content-filter"):
            for said in self.both(model, "x"):
                with self.subTest(model=model):
                    self.assertEqual(said.stop_reason, "refusal")

    def test_both_ways_to_send_a_key(self):
        for given in ({"api_key": KEY}, {"auth_token": KEY}, {"api_key": "unused", "default_headers": {"x-api-key": KEY, "Authorization": anthropic.Omit()}}):
            with self.subTest(given=list(given)), anthropic.Anthropic(base_url=BASE_URL, max_retries=0, **given) as client:
                said = client.messages.create(model=self.model("echo"), messages=[user("x")], max_tokens=10)
                self.assertEqual(said.content[0].text, "x")

    def test_async(self):
        async def talk():
            async with anthropic.AsyncAnthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30) as client:
                given = {"model": self.model("echo"), "max_tokens": 50}

                async def whole(n):
                    said = await client.messages.create(messages=[user(f"caller {n}")], **given)
                    return said.content[0].text

                async def stream(n):
                    async with client.messages.stream(messages=[user(f"caller {n}")], **given) as stream:
                        return await stream.get_final_text()

                return await asyncio.gather(*(one(n) for n in range(20) for one in (whole, stream)))

        self.assertEqual(asyncio.run(talk()), [f"caller {n}" for n in range(20) for _ in range(2)])


@each(*EVERYWHERE)
class Tools(Anthropic):
    TOOLS = [tool("get_weather"), tool("get_time")]

    def test_loop(self):
        for ask in (self.ask, self.stream):
            with self.subTest(ask=ask.__name__):
                messages = [user("How is the weather?")]
                said = ask("tool-caller", messages, tools=self.TOOLS)
                self.assertEqual(said.stop_reason, "tool_use")
                (call,) = said.content
                self.assertEqual((call.type, call.name, call.input), ("tool_use", "get_weather", WEATHER_ARGUMENTS))
                result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 21 °C"}
                messages += [{"role": "assistant", "content": said.content}, user([result])]
                said = ask("tool-caller", messages, tools=self.TOOLS)
                self.assertEqual(said.content[0].text, "The tools answered. result: Sunny, 21 °C")
                messages += [{"role": "assistant", "content": said.content}, user("Thanks")]
                self.assertEqual(ask("echo", messages, tools=self.TOOLS).content[0].text, "Thanks")

    def test_parallel_calls(self):
        for said in self.both("tool-caller-2", "Weather and time?", tools=self.TOOLS):
            self.assertEqual([block.name for block in said.content], ["get_weather", "get_time"])
            self.assertEqual([block.input for block in said.content], [WEATHER_ARGUMENTS] * 2)
            first, second = (block.id for block in said.content)
            self.assertNotEqual(first, second)
            results = [
                {"type": "tool_result", "tool_use_id": first, "content": [text("fog")]},
                {"type": "tool_result", "tool_use_id": second, "content": "no clock", "is_error": True},
            ]
            turns = [user("Weather and time?"), {"role": "assistant", "content": said.content}, user(results)]
            answer = self.ask("tool-caller-2", turns, tools=self.TOOLS).content[0].text
            self.assertIn("result: fog", answer)
            self.assertIn("no clock", answer)
            # Words after the results are a message of their own in the other dialect.
            turns[-1] = user([*results, text("So?")])
            self.assertEqual(self.ask("echo", turns, tools=self.TOOLS).content[0].text, "So?")

    def test_one_call_at_a_time(self):
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        self.assertEqual(len(self.ask("tool-caller-2", "x", tools=self.TOOLS, tool_choice=choice).content), 1)

    def test_choice(self):
        rows = [({"type": "auto"}, None), ({"type": "none"}, None), ({"type": "any"}, "get_weather"), ({"type": "tool", "name": "get_time"}, "get_time")]
        for choice, name in rows:
            # This model calls a tool only when it must.
            for said in self.both("some-model", "x", tools=self.TOOLS, tool_choice=choice):
                with self.subTest(choice=choice):
                    self.assertEqual([block.name for block in said.content if block.type == "tool_use"], [name] if name else [])
                    self.assertEqual(said.stop_reason, "tool_use" if name else "end_turn")

    def test_tool_without_arguments(self):
        for said in self.both("tool-caller", "x", tools=[tool("get_time", {"type": "object", "properties": {}})]):
            self.assertEqual(said.content[0].input, {})

    def test_result_with_an_image(self):
        word = marker()
        called = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {}}
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": [text(word), image]}
        said = self.ask("vision", [user("Look"), {"role": "assistant", "content": [called]}, user([result])], tools=self.TOOLS)
        self.assertIn(f"image: image/png, {PIXEL_BYTES} bytes", said.content[0].text)
        if self.outside():
            self.assertIn(PIXEL, self.received(word)[2])


@each(*EVERYWHERE)
class Media(Anthropic):
    def see(self, *blocks):
        return self.ask("vision", [user([*blocks, text("What is it?")])]).content[0].text

    def test_image_by_url(self):
        said = self.see({"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}})
        self.assertIn("image: https://example.com/cat.png", said)

    def test_image_inline(self):
        said = self.see({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
        self.assertIn(f"image: image/png, {PIXEL_BYTES} bytes", said)

    def test_document_inline(self):
        said = self.see({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}})
        self.assertIn("document: application/pdf, 56 bytes", said)

    def test_document_of_text(self):
        word = marker()
        source = {"type": "text", "media_type": "text/plain", "data": f"A text about {word}."}
        self.see({"type": "document", "title": "About", "source": source})
        if self.outside():
            self.received(word)

    def test_several(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        self.assertIn("2 image(s)", self.see(image, text("and"), image))


@each(*EVERYWHERE)
class Structured(Anthropic):
    def test_parse(self):
        given = {"model": self.model("json"), "max_tokens": 1000, "messages": [user("Go")], "output_format": Forecast}
        parsed = self.client.messages.parse(**given).parsed_output
        self.assertIsInstance(parsed, Forecast)
        self.assertEqual(parsed.places[0].city, "sample city")
        with self.client.messages.stream(**given) as stream:
            self.assertEqual(stream.get_final_message().parsed_output, parsed)

    def test_schema_reaches_the_provider(self):
        word = marker()
        schema = {**WEATHER, "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
        config = {"format": {"type": "json_schema", "schema": schema}}
        said = self.ask("json", word, output_config=config)
        self.assertEqual(sorted(json.loads(said.content[0].text)), ["city", "days"])
        if self.outside():
            body = self.received(word)[1]
            got = body["response_format"]["json_schema"]["schema"] if self.crossed else body["output_config"]["format"]["schema"]
            self.assertEqual(got, schema)


@each(*EVERYWHERE)
class Thinking(Anthropic):
    def test_whole_and_stream(self):
        for said in self.both("reasoner", "Why?", **THINKING):
            self.assertEqual([block.type for block in said.content], ["thinking", "text"])
            self.assertEqual(said.content[0].thinking, "The user said “Why?”. I think about it step by step, then I answer.")
            self.assertEqual(said.content[1].text, "The answer to “Why?” is 42.")
            if not self.crossed:
                self.assertTrue(said.content[0].signature)

    def test_thinking_is_replayed_byte_for_byte(self):
        for ask in (self.ask, self.stream):
            with self.subTest(ask=ask.__name__):
                word = marker()
                said = ask("reasoner", f"Why {word}?", **THINKING)
                turns = [user(f"Why {word}?"), {"role": "assistant", "content": said.content}, user("And then?")]
                again = ask("reasoner", turns, **THINKING)
                self.assertIn("And then?", again.content[-1].text)
                if self.provider == "via-anthropic":
                    sent = self.received(word)[1]["messages"][1]["content"]
                    self.assertEqual(sent[0]["signature"], said.content[0].signature)
                    self.assertEqual(sent[0]["thinking"], said.content[0].thinking)

    def test_hidden_thinking_is_replayed(self):
        for ask in (self.ask, self.stream):
            with self.subTest(ask=ask.__name__):
                word = marker()
                said = ask("reasoner-redacted", f"Why {word}?", **THINKING)
                turns = [user(f"Why {word}?"), {"role": "assistant", "content": said.content}, user("And then?")]
                self.assertEqual(ask("reasoner-redacted", turns, **THINKING).content[-1].text, "I thought about it, in secret.")
                if self.provider == "via-anthropic":
                    self.assertIn(said.content[0].data, self.received(word)[2])


@each(*OUTSIDE)
class Wire(Anthropic):
    """What crosses beside the conversation."""

    def test_same_dialect_is_passed_as_it_is(self):
        word = marker()
        raw = self.client.messages.with_raw_response.create(
            model=self.model("bench-600"), messages=[user(word)], max_tokens=300, extra_body={"x_custom": {"deep": [1, 2.50, "ü"]}}
        )
        body = self.received(word)[1]
        if self.crossed:
            self.assertNotIn("x_custom", body)
            self.assertIn("x_custom", raw.headers.get("x-tollgate-loss", ""))
        else:
            self.assertEqual(body["x_custom"], {"deep": [1, 2.50, "ü"]})
            self.assertEqual((body["model"], body["messages"]), ("bench-600", [user(word)]))

    def test_version_and_betas(self):
        word = marker()
        raw = self.client.messages.with_raw_response.create(
            model=self.model("echo"),
            messages=[user(word)],
            max_tokens=50,
            extra_headers={"anthropic-beta": "one-2026-01-01,two-2026-01-01"},
        )
        headers = self.received(word)[0]
        if self.crossed:
            self.assertFalse([name for name in headers if name.startswith("anthropic-")])
        elif GATEWAY:
            # An endpoint that is not known to have betas gets none, but not in silence.
            passed = headers.get("anthropic-beta") == "one-2026-01-01,two-2026-01-01"
            self.assertTrue(passed or "anthropic-beta" in raw.headers.get("x-tollgate-loss", ""), "dropped in silence")
            self.assertEqual(headers["anthropic-version"], self.client.default_headers["anthropic-version"])

    def test_headers_of_answers(self):
        raw = self.client.messages.with_raw_response.create(model=self.model("echo"), messages=[user("x")], max_tokens=50)
        if GATEWAY:
            self.assertTrue(raw.headers["x-request-id"])
            self.assertEqual(raw.headers["x-tollgate-model"], self.model("echo"))
            self.assertEqual(raw.headers["x-tollgate-attempts"], "1")
            self.assertIn("x-tollgate-route", raw.headers)
        # The SDK reads the id from its vendor's own header.
        self.assertTrue(raw.parse()._request_id)

    def test_the_callers_key_stays_here(self):
        if GATEWAY:
            word = marker()
            self.ask("echo", word)
            headers = self.received(word)[0]
            self.assertNotIn(KEY, json.dumps(headers))
            self.assertIn("tests-provider-key", headers["authorization" if self.crossed else "x-api-key"])

    def test_fallback_across_dialects_is_told(self):
        if GATEWAY:
            given = {"model": self.route("fallback"), "messages": [user("x")], "max_tokens": 50}
            raw = self.client.messages.with_raw_response.create(**given)
            self.assertEqual(raw.parse().content[0].text, "x")
            self.assertIn("from=", raw.headers.get("x-tollgate-fallback", "nothing"))
            with self.client.messages.stream(**given) as stream:
                self.assertEqual(stream.get_final_text(), "x")
