"""The suite: each part by itself (`run own other`), or all of them. `--direct` reads the recordings without a gateway: what is
wrong then is this suite's own mistake. Differences are written to files in the suite's folder under TOLLGATE_TEST_DIR.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import reading
import records
import requests_part
import servers
import views
from harness.process import CALLER_KEY
from report import Report

#: The SDKs hold the interpreter's lock; more threads only wait for the servers.
THREADS = 8
#: LiteLLM 1.106.2's shares with the same tools.
ANSWERS_PERCENT, REQUESTS_PERCENT = 98.5, 89.0
#: Every n-th stream is tried in pieces of that size.
CUT_SAMPLE = {1: 2, 7: 1, 64: 1}
SMALL_VIEW_CHARS = 3_000
PARTS = ["own", "other", "cut", "compare", "requests", "requests back"]


def read_all(reader, exchanges, dialect_of, judge):
    """Reads every exchange and gathers what is different."""

    def one(exchange):
        return judge(exchange, *reader.read(exchange, dialect_of(exchange)))

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return [difference for differences in pool.map(one, exchanges) for difference in differences]


def own_dialect(exchange):
    return exchange.dialect


def other_dialect(exchange):
    return "anthropic" if exchange.dialect == "openai_chat" else "openai_chat"


def cut_sample(exchanges, size):
    """Streams whose answers are small enough to be sent in such pieces, spread over all providers."""
    streams = [
        exchange
        for exchange in exchanges
        if exchange.stream and (exchange.view is None or len(exchange.view.get("text", "")) < SMALL_VIEW_CHARS * size)
    ]
    return streams[:: CUT_SAMPLE[size]]


def compare(report, gateway, folder, exchanges):
    """The corpus' own measure of answers, for OpenAI callers."""
    # The tool names a provider by one prefix, so that it cannot choose between two dialects; failures are of "own" and "other".
    names = {exchange.provider: exchange.upstream for exchange in exchanges if exchange.status < 400}
    chosen = {exchange.id for exchange in exchanges if exchange.upstream == names[exchange.provider]}
    expectations, out = folder / "expectations.jsonl", report.folder / "compare.jsonl"
    rows = [row for path in records.EXPECTED for row in records.lines(path) if row["id"] in chosen]
    expectations.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, records.TOOLS / "compare.py", "--gateway", gateway.url + "/v1", "--key", CALLER_KEY]
    command += ["--apis", "messages,chat", "--out", out, "--prefix", *(f"{provider}={upstream}/" for provider, upstream in names.items())]
    command += ["--", expectations]
    words = run(command)
    total = words.strip().splitlines()[-1].split()
    kept, lost = int(total[2]), int(total[4])
    report.bar(f"compare (answers to an OpenAI caller; see {out.name})", kept, kept + lost, ANSWERS_PERCENT)


def requests(report, gateway, folder, log, exchanges):
    """The corpus' own measure of requests: OpenAI chat to an Anthropic provider."""
    answer = next(exchange for exchange in exchanges if exchange.upstream == "anthropic" and exchange.view and not exchange.stream)
    out = report.folder / "requests.jsonl"
    command = [sys.executable, records.TOOLS / "requests_check.py", "--gateway", gateway.url + "/v1", "--key", CALLER_KEY]
    command += ["--log", log, "--target", "anthropic", "--answer", answer.id, "--prefix", "anthropic/", "--out", out, records.EXCHANGES]
    words = run(command)
    counts = {line.split(None, 1)[1]: int(line.split()[0]) for line in words.splitlines()[1:] if line.strip()}
    tried = int(words.split()[1])
    report.bar(f"requests (OpenAI to Anthropic, kept; see {out.name})", counts.get("kept", 0), tried, REQUESTS_PERCENT)
    report.bar("requests (OpenAI to Anthropic, valid)", counts.get("valid", 0), tried, REQUESTS_PERCENT)
    print("    " + "; ".join(f"{value} {name.strip()}" for name, value in counts.items()))


def run(command):
    """A corpus tool's words; a tool that fails has not measured anything."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def direct(report, folder, exchanges):
    """Without a gateway: the suite's reading against the corpus' expectations."""
    with servers.upstreams(folder) as (whole, cut, _):
        reader = reading.Reader(whole, "direct", through_gateway=False)
        report.part("direct", len(exchanges), read_all(reader, exchanges, own_dialect, views.own))
        for size, address in cut.items():
            sample = cut_sample(exchanges, size)
            reader = reading.Reader(address, "direct", through_gateway=False)
            report.part(f"direct cut {size}", len(sample), read_all(reader, sample, own_dialect, views.own))


def measured(report, parts, folder, exchanges):
    """Through the gateway."""
    with servers.upstreams(folder) as (whole, cut, log):
        with servers.gateway(folder, exchanges, whole) as gateway:
            reader = reading.Reader(gateway.url, CALLER_KEY)
            if "own" in parts:
                report.part("own", len(exchanges), read_all(reader, exchanges, own_dialect, views.own))
            if "other" in parts:
                report.part("other", len(exchanges), read_all(reader, exchanges, other_dialect, views.other))
            if "compare" in parts:
                compare(report, gateway, folder, exchanges)
            if "requests" in parts:
                requests(report, gateway, folder, log, exchanges)
            if "requests back" in parts:
                requests_part.back(report, gateway, log, exchanges)
            report.troubles(gateway)
        for size, address in cut.items() if "cut" in parts else ():
            with servers.gateway(folder / f"cut-{size}", exchanges, address) as gateway:
                reader, sample = reading.Reader(gateway.url, CALLER_KEY), cut_sample(exchanges, size)
                report.part(f"cut {size}", len(sample), read_all(reader, sample, own_dialect, views.own))
                report.part(f"cut {size} other", len(sample), read_all(reader, sample, other_dialect, views.other))
                report.troubles(gateway)


def main(arguments):
    began = time.monotonic()
    folder = pathlib.Path(os.environ["TOLLGATE_TEST_DIR"]) / "corpus" / "last-run"
    folder.mkdir(parents=True, exist_ok=True)
    report, exchanges = Report(folder), records.load()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if arguments == ["--direct"]:
            direct(report, pathlib.Path(scratch), exchanges)
        else:
            parts = arguments or PARTS
            measured(report, parts, pathlib.Path(scratch), exchanges)
            if parts == PARTS:
                report.stale()
    print(f"{time.monotonic() - began:.0f} s; differences are in {folder}")
    print(f"corpus: {report.passed} passed, {report.failed} failed, 0 skipped")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
