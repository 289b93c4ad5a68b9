"""The recorded exchanges of the two dialects, and what the official clients make of them (`expect/`). Read only."""

import dataclasses
import json
import os
import pathlib
import re

CORPUS = pathlib.Path(os.environ["TOLLGATE_CORPUS"])
TOOLS = CORPUS / "tools"
EXCHANGES = CORPUS / "exchanges"
ERRORS = CORPUS / "errors.jsonl.d"
EXPECTED = [CORPUS / "expect" / "exchanges.jsonl", CORPUS / "expect" / "errors.jsonl"]

#: WIRE 9: the counts by which vendors say what `prompt_tokens`, `completion_tokens` and their details leave out.
COUNTS = re.compile(r'"(total_tokens|cached_tokens|num_cached_tokens)": ?(\d+)')

#: The corpus' word for an API, and ours for the dialect.
DIALECTS = {"chat": "openai_chat", "messages": "anthropic"}


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One recorded exchange with what its official client reads from it: a view, or an error."""

    id: str
    provider: str
    dialect: str
    stream: bool
    status: int
    view: dict | None
    error: dict | None
    request: dict | None
    #: The last of each count that the provider stated, also under the names that the official client does not read.
    counts: dict

    @property
    def upstream(self):
        """The provider's name in the gateway's config, by which it finds the vendor's row of the catalog."""
        if self.status >= 400:
            # A provider of its own: what one failure says of a provider's health must not decide about the next exchange.
            return f"failing-{self.id}"
        name = {"vercel-gateway": "vercel", "llama.cpp": "llamacpp"}.get(self.provider, self.provider)
        # One recorded provider speaks both.
        return f"{name}-messages" if self.dialect == "anthropic" and name != "anthropic" else name


def lines(path):
    """The JSON values of a file of lines."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load():
    """Every exchange of the two dialects that the corpus has an expectation for, the documented errors included, in order of id."""
    expected = {row["id"]: row for path in EXPECTED for row in lines(path)}
    exchanges = []
    for path in sorted([*EXCHANGES.glob("*.jsonl"), *ERRORS.glob("*.jsonl")]):
        for record in lines(path):
            if record["api"] not in DIALECTS or record["id"] not in expected:
                continue
            expectation = expected[record["id"]]
            body = record["request_body"]
            exchanges.append(
                Exchange(
                    id=record["id"],
                    provider=record["provider"],
                    dialect=DIALECTS[record["api"]],
                    stream=record["stream"],
                    status=record["status"],
                    view=expectation.get("view"),
                    error=expectation.get("error"),
                    request=body if isinstance(body, dict) else None,
                    counts=dict(COUNTS.findall(record["response_body"])),
                )
            )
    return sorted(exchanges, key=lambda exchange: exchange.id)
