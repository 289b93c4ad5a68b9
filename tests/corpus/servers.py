"""The upstreams: the corpus' `replay.py` as it is, and one that cuts every answer into pieces. And the gateway between."""

import contextlib
import json
import pathlib
import sys

import records
from harness.process import Gateway, Process, free_port

#: Bytes in a piece.
CUTS = (1, 7, 64)


@contextlib.contextmanager
def upstreams(folder):
    """Starts both replay servers: (address of the whole one, {bytes: address}, its log of requests)."""
    port, cut_ports, log = free_port(), [free_port() for _ in CUTS], folder / "upstream-requests.jsonl"
    log.write_text("")
    folders = [records.EXCHANGES, records.ERRORS]
    whole = [sys.executable, records.TOOLS / "replay.py", port, *folders]
    cut = [sys.executable, pathlib.Path(__file__).with_name("cut.py"), json.dumps(dict(zip(cut_ports, CUTS))), *folders]
    with (
        Process(whole, folder / "replay.log", env={"REPLAY_LOG": str(log)}) as one,
        Process(cut, folder / "cut.log", env={"TOLLGATE_TOOLS": str(records.TOOLS)}) as other,
    ):
        address = lambda port: f"http://127.0.0.1:{port}"
        one.wait_for(address(port) + "/health")
        other.wait_for(address(cut_ports[0]) + "/health")
        yield address(port), {cut: address(port) for port, cut in zip(cut_ports, CUTS)}, log


def gateway(folder, exchanges, upstream):
    """A gateway with one provider for each recorded one; names of the catalog keep their quirks."""
    folder.mkdir(parents=True, exist_ok=True)
    providers = {
        exchange.upstream: {
            "base_url": upstream + ("/v1" if exchange.dialect == "openai_chat" else ""),
            "dialect": exchange.dialect,
            "credentials": ["env:TESTS_PROVIDER_KEY"],
        }
        for exchange in exchanges
    }
    return Gateway(folder, {"providers": providers, "spending": {"allow_unpriced": True}})
