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
    wanted = _as_anthropic(exchange.view) if exchange.dialect == "openai_chat" else _as_openai(exchange.view)
    got = {**view, "tool_calls": [(call["name"], call["args"]) for call in view["tool_calls"]]}
    got["usage"] = {key: (got["usage"] or {}).get(key) or 0 for key in wanted["usage"]} if wanted["usage"] is not ANY else ANY
    return [
        Difference(exchange.id, aspect, value, got[aspect])
        for aspect, value in wanted.items()
        if value is not ANY and not _same(value, got[aspect])
    ]


def _same(wanted, got):
    return got in wanted if isinstance(wanted, set) else wanted == got


def _other_error(exchange, view, error):
    """The other SDK's class of the same status; an error within a stream must be one again."""
    if error is None:
        return [Difference(exchange.id, "error", exchange.error, view)]
    name = exchange.error["cls"].split(".")
    if name[0] == "builtins":
        # The provider's answer broke the SDK itself; anything but an invented success will do.
        return []
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
    return calls + ([(legacy["name"], legacy["args"])] if legacy else [])


def _as_anthropic(view):
    calls, usage = _calls(view), view["usage"]
    finish = TO_ANTHROPIC.get(view["finish"], ANY)
    if view["refusal"]:
        finish = "refusal"
    elif calls and finish != "max_tokens":
        finish = "tool_use"
    if any("__raw__" in args for _, args in calls if isinstance(args, dict)):
        # Arguments that are no JSON cannot be an object; the names must still be there.
        calls = ANY
    if usage is None:
        usage = ANY
    else:
        usage = {"input": usage["input"] - usage["cached_read"], "output": usage["output"], "cached_read": usage["cached_read"]}
    return {
        "text": {view["text"], view["text"] + view["refusal"]},
        "reasoning": view["reasoning"],
        "tool_calls": calls,
        "finish": finish,
        "usage": usage,
    }


def _as_openai(view):
    usage = view["usage"]
    read, written = usage["cached_read"], usage["cache_write"]
    total = usage["input"] if usage["input"] is None else usage["input"] + read + written
    return {
        "text": view["text"],
        "reasoning": view["reasoning"],
        "tool_calls": _calls(view),
        "finish": "tool_calls" if view["tool_calls"] else TO_OPENAI.get(view["finish"], ANY),
        "usage": {"input": total, "output": usage["output"], "cached_read": read},
    }
