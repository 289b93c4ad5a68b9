"""What must remain of an answer: all of its view in its own dialect; text, reasoning, tool calls, stop reason and usage in the other.

The maps are WIRE 8 and 9, written here a second time on purpose: the gateway's own must not be the measure of itself.
"""

import dataclasses

#: Any value will do.
ANY = object()

TO_ANTHROPIC = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use", "content_filter": "refusal"}
TO_OPENAI = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "stop",
    "compaction": "stop",
}


@dataclasses.dataclass
class Difference:
    """One aspect of one exchange that did not come out as it should."""

    id: str
    aspect: str
    wanted: object
    got: object


def own(exchange, view, error):
    """The differences of an answer read in its own dialect."""
    if exchange.error is not None:
        return _error(exchange, view, error)
    if error is not None:
        return [Difference(exchange.id, "parse", "a view", error)]
    keys = sorted(set(exchange.view) | set(view))
    pairs = [(key, exchange.view.get(key), view.get(key)) for key in keys]
    return [Difference(exchange.id, key, wanted, got) for key, wanted, got in pairs if wanted != got]


def _error(exchange, view, error):
    if error is None:
        return [Difference(exchange.id, "error", exchange.error, view)]
    pairs = [(key, exchange.error.get(key), error.get(key)) for key in ("cls", "status_code")]
    return [Difference(exchange.id, f"error {key}", wanted, error) for key, wanted, got in pairs if wanted != got]


def other(exchange, view, error):
    """The differences of an answer read in the other dialect."""
    if exchange.error is not None:
        return _other_error(exchange, view, error)
    if error is not None:
        return [Difference(exchange.id, "parse", "a view", error)]
    wanted = _as_anthropic(exchange) if exchange.dialect == "openai_chat" else _as_openai(exchange.view)
    got = {**view, "tool_calls": _calls(view), "usage": _counts(view["usage"])}
    return [
        Difference(exchange.id, aspect, value, got[aspect])
        for aspect, value in wanted.items()
        if value is not ANY and not _same(value, got[aspect])
    ]


def _same(wanted, got):
    return got in wanted if isinstance(wanted, set) else wanted == got


def _other_error(exchange, view, error):
    """The other SDK's class of the same status; an error within a stream must be one again."""
    if exchange.error["cls"].startswith("builtins."):
        # The provider's answer broke the SDK itself; anything but an invented success will do.
        return [Difference(exchange.id, "error", exchange.error, view)] if view and view["finish"] != "refusal" else []
    if error is None:
        return [Difference(exchange.id, "error", exchange.error, view)]
    status = exchange.error.get("status_code")
    if exchange.status >= 400 and error.get("status_code") not in _statuses(status):
        return [Difference(exchange.id, "error status_code", status, error)]
    package = "anthropic" if exchange.dialect == "openai_chat" else "openai"
    if not error["cls"].startswith(package + "."):
        return [Difference(exchange.id, "error cls", f"one of {package}", error)]
    return []


def _statuses(status):
    """529 is a status of Anthropic's alone."""
    return {529: {529, 503}}.get(status, {status})


def _calls(view):
    calls = [(call["name"], call["args"]) for call in view["tool_calls"]]
    legacy = view.get("function_call")
    # Snowflake sends an empty function_call with every answer.
    return calls + ([(legacy["name"], legacy["args"])] if legacy and legacy["name"] else [])


def _counts(usage):
    """Tokens as both dialects can say them: the whole input, what of it was read from the cache, the whole output."""
    usage = {key: value or 0 for key, value in (usage or {}).items()}
    apart = "cache_write" in usage
    whole = usage.get("input", 0) + (usage.get("cached_read", 0) + usage["cache_write"] if apart else 0)
    return {"input": whole, "output": usage.get("output", 0), "cached_read": usage.get("cached_read", 0)}


def _stated(exchange):
    """The counts of an OpenAI-style answer, put right where the vendor leaves something out of them (WIRE 9)."""
    counts, stated = _counts(exchange.view["usage"]), {name: int(count) for name, count in exchange.counts.items()}
    # xAI and Gemini: reasoning is in the total only.
    counts["output"] = max(counts["output"], stated.get("total_tokens", 0) - counts["input"])
    # Mistral and Moonshot name it elsewhere; some servers count more as cached than was asked.
    cached = max(counts["cached_read"], stated.get("cached_tokens", 0), stated.get("num_cached_tokens", 0))
    counts["cached_read"] = min(cached, counts["input"])
    return counts


def _as_anthropic(exchange):
    view = exchange.view
    calls = _calls(view)
    finish = TO_ANTHROPIC.get(view["finish"], ANY)
    if view["refusal"]:
        finish = "refusal"
    elif calls and finish != "max_tokens":
        finish = "tool_use"
    if any("__raw__" in args for _, args in calls if isinstance(args, dict)):
        # Arguments that are no JSON cannot be an object; that there was a call is told by the stop reason.
        calls = ANY
    return {
        "text": {view["text"], view["text"] + view["refusal"]},
        # Several vendors put it where the official client does not look.
        "reasoning": view["reasoning"] or ANY,
        "tool_calls": calls,
        "finish": finish,
        "usage": _stated(exchange) if view["usage"] else ANY,
    }


def _as_openai(view):
    return {
        "text": view["text"],
        "reasoning": view["reasoning"],
        "tool_calls": _calls(view),
        "finish": "tool_calls" if view["tool_calls"] else TO_OPENAI.get(view["finish"], ANY),
        "usage": _counts(view["usage"]),
    }
