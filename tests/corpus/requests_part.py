"""Recorded Anthropic requests, sent through the gateway to an OpenAI provider: what reaches it must be valid by OpenAI's own schema
and keep everything that Chat Completions can carry. What it cannot carry must be named in `x-tollgate-loss`.
"""

import json

import httpx

import reading
from harness.process import CALLER_KEY
from views import Difference

#: Asked for the answer only; they say nothing about the request.
NOT_SENT = ("stream",)


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
    wanted, got = check.facts_out("messages", body), check.facts_chat(received[0])
    # Chat Completions has media only in user messages, so that those of tool results come later.
    for facts in (wanted, got):
        facts["media"] = sorted(facts["media"])
    foreign = {tool["name"] for tool in body.get("tools") or [] if "input_schema" not in tool}
    wanted["tools"] = {name: properties for name, properties in wanted["tools"].items() if name not in foreign}
    lost = check.compare(wanted, got, "anthropic")
    loss = answered.headers.get("x-tollgate-loss")
    if foreign and not loss:
        differences.append(Difference(exchange.id, "loss named", sorted(foreign), loss))
    return differences + [Difference(exchange.id, aspect, ours, theirs) for aspect, ours, theirs in lost]
