"""Recorded Anthropic requests, sent through the gateway to an OpenAI provider: what reaches it must be valid by OpenAI's own schema
and keep everything that Chat Completions can carry. What it cannot carry must be named in `x-tollgate-loss`.
"""

import json

import httpx

import reading
from harness.process import CALLER_KEY
from views import Difference

#: About the answer only.
NOT_SENT = ("stream",)
#: A tool result without text cannot be empty in Chat Completions; its media come in the next message.
PLACEHOLDER = "(thecontentfollowsinthenextmessage)"


def back(report, gateway, log, exchanges):
    """All of them, one after the other: the provider's log is read after each."""
    check, validate = reading.tool("requests_check"), reading.tool("validate_requests")
    answer = next(exchange for exchange in exchanges if exchange.upstream == "openai" and exchange.view and not exchange.stream)
    sent = [
        exchange
        for exchange in exchanges
        if exchange.dialect == "anthropic" and exchange.status < 400 and (exchange.request or {}).get("messages")
    ]
    differences = []
    with log.open(encoding="utf-8") as requests, httpx.Client(timeout=30) as client:
        requests.seek(0, 2)
        for exchange in sent:
            body = {key: value for key, value in exchange.request.items() if key not in NOT_SENT}
            body["model"] = f"openai/corpus~{answer.id}"
            headers = {"authorization": f"Bearer {CALLER_KEY}", "anthropic-version": "2023-06-01"}
            answered = client.post(gateway.url + "/v1/messages", json=body, headers=headers)
            received = [json.loads(line)["body"] for line in requests.readlines()]
            differences += judge(exchange, body, answered, received, check, validate)
    report.part("requests back", len(sent), differences)


def judge(exchange, body, answered, received, check, validate):
    """The differences of one request."""
    if len(received) != 1 or not isinstance(received[0], dict):
        return [Difference(exchange.id, "sent once", 1, [len(received), answered.status_code, answered.text[:200]])]
    invalid = validate.validate("chat", received[0])
    differences = [Difference(exchange.id, "valid", None, invalid)] if invalid else []
    body, foreign = carried(body)
    wanted, got = check.facts_out("messages", body), check.facts_chat(received[0])
    got["tool"] = got["tool"].replace(PLACEHOLDER, "")
    # Chat Completions has media only in user messages, so that those of tool results come later.
    for facts in (wanted, got):
        facts["media"] = sorted(facts["media"])
    loss = answered.headers.get("x-tollgate-loss")
    if foreign and not loss:
        differences.append(Difference(exchange.id, "loss named", foreign, loss))
    return differences + [Difference(exchange.id, aspect, *values) for aspect, *values in check.compare(wanted, got, "anthropic")]


def carried(body):
    """The request with what Chat Completions can express, and the kinds of what it cannot."""
    foreign = []

    def block(one):
        """[the block], its text, or nothing."""
        source = one.get("source") or {}
        kind = (one["type"], source.get("type"))
        if one["type"] == "tool_result" and isinstance(one.get("content"), list):
            return [{**one, "content": blocks(one["content"])}]
        if kind == ("document", "text"):
            return [{"type": "text", "text": source["data"]}]
        # An uploaded file is known to its own vendor only, and a document by address is not known to Chat Completions.
        fits = one["type"] in ("text", "tool_use", "tool_result") or kind == ("image", "url") or source.get("type") == "base64"
        # Reasoning is sealed by its vendor; it is left out without a word.
        if not fits and "thinking" not in one["type"]:
            foreign.append(one["type"])
        return [one] if fits else []

    def blocks(content):
        return [kept for one in content for kept in block(one)] if isinstance(content, list) else content

    messages = [{**message, "content": blocks(message["content"])} for message in body["messages"]]
    tools = body.get("tools") or []
    foreign += [tool["type"] for tool in tools if "input_schema" not in tool]
    return {**body, "messages": messages, "tools": [tool for tool in tools if "input_schema" in tool]}, sorted(set(foreign))
