"""The OpenAI SDK: what an application does with answers. Errors are in test_openai_errors.py."""

import asyncio
import json

import openai
import pydantic

from case import EVERYWHERE, GATEWAY, KEY, OUTSIDE, PDF, PIXEL, PIXEL_BYTES, SIMULATOR, WEATHER, WEATHER_ARGUMENTS, Case, each, marker

BASE_URL = GATEWAY + "/v1" if GATEWAY else SIMULATOR + "/openai/v1"


class Weather(pydantic.BaseModel):
    city: str
    days: int


class Forecast(pydantic.BaseModel):
    """Nested, with a list and a choice."""

    summary: str
    places: list[Weather]
    unit: str | None


def user(text):
    return {"role": "user", "content": text}


def function(name, **parameters):
    return {"type": "function", "function": {"name": name, "description": f"Gets {name}.", **parameters}}


def gather(chunks):
    """Text, calls by index, finish reasons and the chunks with usage of a stream of one choice."""
    text, reasoning, calls, finishes, usages = "", "", {}, [], []
    for chunk in chunks:
        if chunk.usage:
            usages.append(chunk)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += (choice.delta.model_extra or {}).get("reasoning_content") or ""
            for call in choice.delta.tool_calls or []:
                known = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
                known["id"] += call.id or ""
                known["name"] += call.function.name or ""
                known["arguments"] += call.function.arguments or ""
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
    return {"text": text, "reasoning": reasoning, "calls": calls, "finishes": finishes, "usages": usages}


class OpenAI(Case):
    """A client, and a shorter way to call it."""

    sdk = "openai"

    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    @property
    def crossed(self):
        return self.provider == "via-anthropic"

    def ask(self, model, messages, **given):
        messages = [user(messages)] if isinstance(messages, str) else messages
        return self.client.chat.completions.create(model=self.model(model), messages=messages, **given)


@each(*EVERYWHERE)
class Chat(OpenAI):
    def test_whole(self):
        said = self.ask("echo", "Grüße, 世界! 👋")
        self.assertEqual(said.choices[0].message.content, "Grüße, 世界! 👋")
        self.assertEqual(said.choices[0].message.role, "assistant")
        self.assertEqual(said.choices[0].finish_reason, "stop")
        self.assertEqual(said.object, "chat.completion")
        self.assertTrue(said.id)
        self.assertEqual(said.usage.total_tokens, said.usage.prompt_tokens + said.usage.completion_tokens)
        self.assertIsNone(said.choices[0].message.tool_calls)

    def test_stream_is_the_whole_in_pieces(self):
        whole = self.ask("lorem-200", "x").choices[0].message.content
        chunks = list(self.ask("lorem-200", "x", stream=True))
        stream = gather(chunks)
        self.assertEqual(stream["text"], whole)
        self.assertEqual(stream["finishes"], ["stop"])
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertGreater(len(chunks), 50, "the stream was gathered before it was passed on")

    def test_usage_in_a_stream_only_when_asked(self):
        chunks = list(self.ask("lorem-20", "x", stream=True))
        self.assertEqual([chunk.usage for chunk in chunks if chunk.usage], [])
        self.assertTrue(all(chunk.choices for chunk in chunks), "a chunk without choices, though usage was not asked for")
        asked = gather(self.ask("lorem-20", "x", stream=True, stream_options={"include_usage": True}))
        whole = self.ask("lorem-20", "x").usage
        self.assertEqual(len(asked["usages"]), 1)
        last = asked["usages"][0]
        self.assertEqual(last.choices, [])
        self.assertEqual(
            (last.usage.prompt_tokens, last.usage.completion_tokens), (whole.prompt_tokens, whole.completion_tokens)
        )

    def test_usage_is_kept_with_its_cached_part(self):
        usage = self.ask("usage-1000-20-300", "x").usage
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (1000, 20, 1020))
        self.assertEqual(usage.prompt_tokens_details.cached_tokens, 300)
        chunks = self.ask("usage-1000-20-300", "x", stream=True, stream_options={"include_usage": True})
        usage = gather(chunks)["usages"][-1].usage
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens), (1000, 20))
        self.assertEqual(usage.prompt_tokens_details.cached_tokens, 300)

    def test_stream_helper(self):
        with self.client.chat.completions.stream(model=self.model("lorem-30"), messages=[user("x")]) as stream:
            deltas = "".join(event.delta for event in stream if event.type == "content.delta")
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, deltas)
        self.assertEqual(final.choices[0].finish_reason, "stop")
        self.assertEqual(deltas, self.ask("lorem-30", "x").choices[0].message.content)

    def test_text_that_breaks_at_byte_boundaries(self):
        whole = self.ask("unicode", "x").choices[0].message.content
        self.assertIn("👩‍👩‍👧‍👦", whole)
        for model in ("unicode", "unicode+sse-split-1", "unicode+sse-comments", "unicode+sse-crlf", "unicode+sse-no-space"):
            with self.subTest(model=model):
                self.assertEqual(gather(self.ask(model, "x", stream=True))["text"], whole)

    def test_several_turns(self):
        word = marker()
        turns = [user(word), {"role": "assistant", "content": "Noted."}, user("And now?")]
        self.assertEqual(self.ask("echo", turns).choices[0].message.content, "And now?")
        if self.outside():
            messages = self.received(word)[1]["messages"]
            self.assertEqual([message["role"] for message in messages], ["user", "assistant", "user"])
            self.assertIn("Noted.", json.dumps(messages))

    def test_system_and_developer(self):
        word = marker()
        for role in ("system", "developer"):
            with self.subTest(role=role):
                said = self.ask("echo", [{"role": role, "content": f"Be brief. {word}{role}"}, user("Hello")])
                self.assertEqual(said.choices[0].message.content, "Hello")
                if self.outside():
                    body = self.received(word + role)[1]
                    where = body["system"] if self.crossed else body["messages"][0]
                    self.assertIn(word + role, json.dumps(where))
                    self.assertEqual(len(body["messages"]), 1 if self.crossed else 2)

    def test_stop_sequences(self):
        for stop in ("HALT", ["never", "HALT"]):
            for stream in (False, True):
                with self.subTest(stop=stop, stream=stream):
                    said = self.ask("echo", "one two HALT three", stop=stop, stream=stream)
                    if stream:
                        got = gather(said)
                        self.assertEqual((got["text"].strip(), got["finishes"]), ("one two", ["stop"]))
                    else:
                        choice = said.choices[0]
                        self.assertEqual((choice.message.content.strip(), choice.finish_reason), ("one two", "stop"))

    def test_length(self):
        for name in ("max_tokens", "max_completion_tokens"):
            with self.subTest(name=name):
                said = self.ask("lorem-200", "x", **{name: 10})
                self.assertEqual(said.choices[0].finish_reason, "length")
                self.assertEqual(said.usage.completion_tokens, 10)
                self.assertEqual(gather(self.ask("lorem-200", "x", stream=True, **{name: 10}))["finishes"], ["length"])

    def test_without_a_limit_nothing_is_cut(self):
        said = self.ask("lorem-6000", "x")
        self.assertEqual((said.choices[0].finish_reason, said.usage.completion_tokens), ("stop", 6000))

    def test_empty_answer(self):
        said = self.ask("empty", "x")
        self.assertIn(said.choices[0].message.content, ("", None))
        self.assertEqual(said.choices[0].finish_reason, "stop")
        self.assertEqual(gather(self.ask("empty", "x", stream=True))["finishes"], ["stop"])

    def test_refusal(self):
        choice = self.ask("refuser", "x").choices[0]
        stream = list(self.ask("refuser", "x", stream=True))
        if self.crossed:
            self.assertEqual(choice.finish_reason, "content_filter")
            self.assertEqual(gather(stream)["finishes"], ["content_filter"])
        else:
            self.assertIn("can't help", choice.message.refusal)
            self.assertIn("can't help", "".join(c.choices[0].delta.refusal or "" for c in stream if c.choices))

    def test_content_filter(self):
        self.assertEqual(self.ask("content-filter", "x").choices[0].finish_reason, "content_filter")
        self.assertEqual(gather(self.ask("content-filter", "x", stream=True))["finishes"], ["content_filter"])

    def test_several_answers(self):
        raw = self.client.chat.completions.with_raw_response.create(model=self.model("echo"), messages=[user("x")], n=2)
        if self.crossed:
            self.assertTrue(len(raw.parse().choices) == 2 or "n" in loss(raw), "n was dropped in silence")
        else:
            self.assertEqual([choice.index for choice in raw.parse().choices], [0, 1])
            chunks = list(self.ask("lorem-9", "x", n=2, stream=True))
            self.assertEqual({choice.index for chunk in chunks for choice in chunk.choices}, {0, 1})

    def test_logprobs(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model=self.model("echo"), messages=[user("a b c")], logprobs=True, top_logprobs=2
        )
        if self.crossed:
            self.assertIn("logprobs", loss(raw))
            return
        tokens = raw.parse().choices[0].logprobs.content
        self.assertEqual("".join(token.token for token in tokens), "a b c")
        self.assertEqual(len(tokens[0].top_logprobs), 2)

    def test_paths_with_and_without_v1(self):
        for base in (GATEWAY + "/v1", GATEWAY, GATEWAY + "/") if GATEWAY else (BASE_URL,):
            with self.subTest(base=base), openai.OpenAI(base_url=base, api_key=KEY, max_retries=0) as client:
                said = client.chat.completions.create(model=self.model("echo"), messages=[user("x")])
                self.assertEqual(said.choices[0].message.content, "x")

    def test_async(self):
        async def talk():
            async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30) as client:
                create = client.chat.completions.create

                async def whole(n):
                    said = await create(model=self.model("echo"), messages=[user(f"caller {n}")])
                    return said.choices[0].message.content

                async def stream(n):
                    text = ""
                    async for chunk in await create(model=self.model("echo"), messages=[user(f"caller {n}")], stream=True):
                        text += chunk.choices[0].delta.content or "" if chunk.choices else ""
                    return text

                return await asyncio.gather(*(one(n) for n in range(20) for one in (whole, stream)))

        self.assertEqual(asyncio.run(talk()), [f"caller {n}" for n in range(20) for _ in range(2)])


def loss(raw):
    """What the gateway says that the provider's dialect could not carry."""
    return [name.strip() for name in raw.headers.get("x-tollgate-loss", "").split(",")]


@each(*EVERYWHERE)
class Tools(OpenAI):
    TOOLS = [function("get_weather", parameters=WEATHER), function("get_time", parameters=WEATHER)]

    def test_loop(self):
        messages = [user("How is the weather?")]
        said = self.ask("tool-caller", messages, tools=self.TOOLS)
        message = said.choices[0].message
        self.assertEqual(said.choices[0].finish_reason, "tool_calls")
        (call,) = message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "get_weather"))
        self.assertEqual(json.loads(call.function.arguments), WEATHER_ARGUMENTS)
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 °C"}]
        said = self.ask("tool-caller", messages, tools=self.TOOLS)
        self.assertEqual(said.choices[0].message.content, "The tools answered. result: Sunny, 21 °C")
        messages += [said.choices[0].message, user("Thanks")]
        self.assertEqual(self.ask("echo", messages, tools=self.TOOLS).choices[0].message.content, "Thanks")

    def test_loop_in_streams(self):
        messages = [user("How is the weather?")]
        got = gather(self.ask("tool-caller", messages, tools=self.TOOLS, stream=True))
        self.assertEqual((list(got["calls"]), got["finishes"]), ([0], ["tool_calls"]))
        call = got["calls"][0]
        self.assertEqual((call["name"], json.loads(call["arguments"])), ("get_weather", WEATHER_ARGUMENTS))
        called = {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": call["id"], "content": "Rain"},
        ]
        got = gather(self.ask("tool-caller", messages, tools=self.TOOLS, stream=True))
        self.assertEqual((got["text"], got["finishes"]), ("The tools answered. result: Rain", ["stop"]))

    def test_parallel_calls(self):
        messages = [user("Weather and time?")]
        message = self.ask("tool-caller-2", messages, tools=self.TOOLS).choices[0].message
        self.assertEqual([call.function.name for call in message.tool_calls], ["get_weather", "get_time"])
        first, second = (call.id for call in message.tool_calls)
        self.assertNotEqual(first, second)
        # In the other order than the calls: providers may want them sorted.
        results = [
            {"role": "tool", "tool_call_id": second, "content": "noon"},
            {"role": "tool", "tool_call_id": first, "content": "fog"},
        ]
        said = self.ask("tool-caller-2", [*messages, message, *results], tools=self.TOOLS).choices[0].message.content
        self.assertIn("noon", said)
        self.assertIn("fog", said)
        got = gather(self.ask("tool-caller-2", messages, tools=self.TOOLS, stream=True))
        self.assertEqual([got["calls"][index]["name"] for index in (0, 1)], ["get_weather", "get_time"])
        self.assertEqual(json.loads(got["calls"][1]["arguments"]), WEATHER_ARGUMENTS)

    def test_one_call_at_a_time(self):
        said = self.ask("tool-caller-2", "x", tools=self.TOOLS, parallel_tool_calls=False)
        self.assertEqual(len(said.choices[0].message.tool_calls), 1)

    def test_choice(self):
        rows = [
            ("auto", None),
            ("none", None),
            ("required", "get_weather"),
            ({"type": "function", "function": {"name": "get_time"}}, "get_time"),
        ]
        for choice, name in rows:
            with self.subTest(choice=choice):
                # This model calls a tool only when it must.
                message = self.ask("some-model", "x", tools=self.TOOLS, tool_choice=choice).choices[0].message
                self.assertEqual([call.function.name for call in message.tool_calls or []], [name] if name else [])

    def test_tool_without_arguments(self):
        for tool in (function("get_time"), function("get_time", parameters={"type": "object", "properties": {}})):
            for stream in (False, True):
                with self.subTest(tool=tool, stream=stream):
                    said = self.ask("tool-caller", "x", tools=[tool], stream=stream)
                    if stream:
                        arguments = gather(said)["calls"][0]["arguments"]
                    else:
                        arguments = said.choices[0].message.tool_calls[0].function.arguments
                    self.assertEqual(json.loads(arguments), {})

    def test_stream_helper(self):
        with self.client.chat.completions.stream(
            model=self.model("tool-caller"), messages=[user("x")], tools=[openai.pydantic_function_tool(Weather)]
        ) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            final = stream.get_final_completion()
        wanted = Weather(city="sample city", days=42)
        self.assertEqual([(event.name, event.parsed_arguments) for event in done], [("Weather", wanted)])
        self.assertEqual(final.choices[0].message.tool_calls[0].function.parsed_arguments, wanted)


@each(*EVERYWHERE)
class Media(OpenAI):
    def see(self, *parts):
        return self.ask("vision", [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]).choices[0].message.content

    def test_image_by_url(self):
        said = self.see({"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}})
        self.assertIn("image: https://example.com/cat.png", said)

    def test_image_inline(self):
        said = self.see({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}})
        self.assertIn(f"image: image/png, {PIXEL_BYTES} bytes", said)

    def test_document_inline(self):
        said = self.see({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}})
        self.assertIn("document: application/pdf, 56 bytes", said)

    def test_several(self):
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        self.assertIn("2 image(s)", self.see(image, {"type": "text", "text": "and"}, image))


@each(*EVERYWHERE)
class Structured(OpenAI):
    MESSAGES = [user("Answer in JSON, please.")]

    def test_parse(self):
        said = self.client.chat.completions.parse(model=self.model("json"), messages=self.MESSAGES, response_format=Forecast)
        parsed = said.choices[0].message.parsed
        self.assertIsInstance(parsed, Forecast)
        self.assertEqual(parsed.places, [Weather(city="sample city", days=parsed.places[0].days)])

    def test_parse_in_a_stream(self):
        with self.client.chat.completions.stream(
            model=self.model("json"), messages=self.MESSAGES, response_format=Weather
        ) as stream:
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.parsed.city, "sample city")

    def test_schema_reaches_the_provider(self):
        word = marker()
        self.client.chat.completions.parse(
            model=self.model("json"), messages=[user(f"JSON {word}")], response_format=Weather
        )
        if self.outside():
            body = self.received(word)[1]
            schema = body["output_config"]["format"]["schema"] if self.crossed else body["response_format"]["json_schema"]["schema"]
            self.assertEqual(sorted(schema["properties"]), ["city", "days"])
            self.assertIs(schema["additionalProperties"], False)

    def test_json_object(self):
        said = self.ask("json", self.MESSAGES, response_format={"type": "json_object"})
        self.assertIsInstance(json.loads(said.choices[0].message.content), dict)


@each(*EVERYWHERE)
class Reasoning(OpenAI):
    def test_whole_and_stream(self):
        said = self.ask("reasoner", "Why?", reasoning_effort="low")
        message = said.choices[0].message
        self.assertEqual(message.content, "The answer to “Why?” is 42.")
        thought = (message.model_extra or {}).get("reasoning_content")
        self.assertEqual(thought, "The user said “Why?”. I think about it step by step, then I answer.")
        got = gather(self.ask("reasoner", "Why?", reasoning_effort="low", stream=True))
        self.assertEqual((got["text"], got["reasoning"]), (message.content, thought))

    def test_thinking_is_replayed_byte_for_byte(self):
        word = marker()
        said = self.ask("reasoner", f"Why {word}?", reasoning_effort="low").choices[0].message
        again = [user(f"Why {word}?"), said.to_dict(), user("And then?")]
        self.assertIn("And then?", self.ask("reasoner", again, reasoning_effort="low").choices[0].message.content)
        if self.crossed:
            blocks = self.received(word)[1]["messages"][1]["content"]
            self.assertEqual([block["type"] for block in blocks], ["thinking", "text"])
            self.assertEqual(blocks[0]["thinking"], said.model_extra["reasoning_content"])
            # The simulator checks the signature as the vendor does; it must be there.
            self.assertTrue(blocks[0]["signature"])

    def test_hidden_thinking_is_replayed(self):
        word = marker()
        said = self.ask("reasoner-redacted", f"Why {word}?").choices[0].message
        self.assertEqual(said.content, "I thought about it, in secret.")
        self.ask("reasoner-redacted", [user(f"Why {word}?"), said.to_dict(), user("And then?")])
        if self.crossed:
            blocks = self.received(word)[1]["messages"][1]["content"]
            self.assertEqual([block["type"] for block in blocks], ["redacted_thinking", "text"])


@each(*OUTSIDE)
class Wire(OpenAI):
    """What crosses beside the conversation."""

    def test_same_dialect_is_passed_as_it_is(self):
        word = marker()
        extra = {"x_custom": {"deep": [1, 2.50, "ü"]}, "seed": 7}
        raw = self.client.chat.completions.with_raw_response.create(
            model=self.model("bench-600"), messages=[user(word)], extra_body=extra
        )
        body = self.received(word)[1]
        self.assertEqual(body["model"], "bench-600")
        if self.crossed:
            self.assertNotIn("x_custom", body)
            self.assertIn("x_custom", loss(raw))
        else:
            self.assertEqual(body["x_custom"], extra["x_custom"])
            self.assertEqual(body["messages"], [user(word)])

    def test_headers_of_answers(self):
        raw = self.client.chat.completions.with_raw_response.create(model=self.model("echo"), messages=[user("x")])
        self.assertTrue(raw.headers["x-request-id"])
        if GATEWAY:
            self.assertEqual(raw.headers["x-tollgate-model"], self.model("echo"))
            self.assertEqual(raw.headers["x-tollgate-attempts"], "1")
            self.assertGreaterEqual(float(raw.headers["x-tollgate-overhead-ms"]), 0)
            self.assertIn("x-tollgate-route", raw.headers)
            self.assertTrue(raw.headers["x-tollgate-config"])
        self.assertEqual(raw.parse()._request_id, raw.headers["x-request-id"])

    def test_the_callers_key_stays_here(self):
        if GATEWAY:
            word = marker()
            self.ask("echo", word)
            headers = self.received(word)[0]
            self.assertNotIn(KEY, json.dumps(headers))
            self.assertIn("tests-provider-key", headers["x-api-key" if self.crossed else "authorization"])

    def test_fallback_across_dialects_is_told(self):
        if GATEWAY:
            other = OUTSIDE[1 - OUTSIDE.index(self.provider)]
            given = {"model": self.route("fallback"), "messages": [user("x")]}
            # Also when the gateway has learned not to try the first choice any more.
            for attempt in range(8):
                with self.subTest(attempt=attempt):
                    raw = self.client.chat.completions.with_raw_response.create(**given)
                    self.assertEqual(raw.parse().choices[0].message.content, "x")
                    self.assertEqual(raw.headers["x-tollgate-model"], f"{other}/echo")
                    self.assertEqual(raw.headers["x-tollgate-route"], self.route("fallback"))
                    self.assertIn("from=", raw.headers.get("x-tollgate-fallback", "nothing"))
            self.assertEqual(gather(self.client.chat.completions.create(**given, stream=True))["text"], "x")
