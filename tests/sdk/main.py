"""The suite: each SDK in its own process, with a gateway and a simulator of its own, one after the other. Names choose (`run python-current node-previous`); `--direct` leaves the gateway out: what is
wrong then is this suite's own mistake, but for what only a gateway has. `-k WORD` runs the tests with that word in their name.
"""

import hashlib
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import first_minute
from harness.process import CALLER_KEY, Gateway, Simulator

HERE = pathlib.Path(__file__).parent
ENVIRONMENTS = pathlib.Path(os.environ["TOLLGATE_TEST_DIR"]).absolute() / "sdk"
SUITES = ["first-minute", "python-current", "python-previous", "node-current", "node-previous"]
NARROW_KEY = "tests-narrow-key-0123456789abcdef"
POOR_KEY = "tests-poor-key-0123456789abcdef"
BODY_MAX = "1MiB"
#: A provider that limits the gateway is left alone for a while; tests of that take one that nobody else uses.
FRESH_PROVIDERS = 12
#: No SDK takes longer; one that does is stuck.
SUITE_SECONDS_MAX = 600
FAILURE_LINES_MAX = 20


def config(simulator):
    """The built-in simulator, which speaks the caller's dialect, and one endpoint of each dialect."""
    credentials = {"credentials": ["env:TESTS_PROVIDER_KEY"]}
    openai = {"base_url": f"{simulator}/openai/v1", "dialect": "openai_chat", "auth": "bearer", **credentials}
    anthropic = {"base_url": f"{simulator}/anthropic", "dialect": "anthropic", "auth": "header:x-api-key", **credentials}
    providers = {"mock": {}, "via-openai": openai, "via-anthropic": anthropic}
    for number in range(FRESH_PROVIDERS):
        providers |= {f"via-openai-{number}": openai, f"via-anthropic-{number}": anthropic}
    routes = {}
    about = {"purpose": "tests", "owner": "tests"}
    once = {**about, "retry": {"attempts": 1}}
    others = {"via-openai": "via-anthropic", "via-anthropic": "via-openai"}
    # The gateway remembers which models fail: no two tests share one. The number of words is what makes a name its own.
    for number, (via, caller) in enumerate(itertools.product(others, ("openai", "anthropic"))):
        model = f"{via}/lorem-{40 + number}"
        routes[f"impatient-{via}-{caller}"] = {
            **once,
            "targets": [{"model": f"{model}+slow-first-byte-5s"}],
            "timeouts": {"first_byte": "1s"},
        }
        routes[f"impatient-midway-{via}-{caller}"] = {
            **once,
            "targets": [{"model": f"{model}+stall-after-5-chunks"}],
            "timeouts": {"idle": "1s"},
        }
        routes[f"once-{via}-{caller}"] = {**once, "targets": [{"model": f"{model}+status-500"}]}
        routes[f"fallback-{via}-{caller}"] = {
            **about,
            "targets": [{"model": f"{model}+status-503"}],
            "fallbacks": [f"{others[via]}/echo"],
        }
    return {
        "server": {"max_body": BODY_MAX},
        "spending": {"allow_unpriced": True},
        "providers": providers,
        "routes": routes,
        # A cent each; who is poor may spend less on one call, and has one of the other model an hour.
        "models": {name: {"provider": "via-openai", "upstream_model": "echo", "price": {"input": 0, "output": 0, "requests": 10_000}} for name in ("cent", "rare")},
        "budgets": [{"name": "poor", "when": 'team == "poor" && route == "cent"', "amount": "0.001 USD", "window": "request"}],
        "limits": [{"name": "seldom", "per": ["tag:test"], "when": 'team == "poor" && route == "rare"', "requests": "1/hour"}],
        "teams": {"narrow": {"models": ["mock/echo"]}, "poor": {"models": ["*"]}},
        "keys": [
            {"name": "narrow", "team": "narrow", "secret": "env:TESTS_NARROW_KEY"},
            {"name": "poor", "team": "poor", "secret": "env:TESTS_POOR_KEY"},
        ],
    }


def install_node(version):
    """`npm ci` from the lock, once for each lock: the folder with node_modules."""
    source, folder = HERE / "node" / version, ENVIRONMENTS / f"node-{version}"
    stamp = folder / "installed"
    wanted = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder / name)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True, stdout=sys.stderr)
        stamp.write_text(wanted)
    return folder


def run_python(version, env, words):
    """The tests of `python/` with one pair of SDKs: (passed, failed)."""
    interpreter = ENVIRONMENTS / f"pip-{version}" / "bin" / "python"
    command = [interpreter, HERE / "python" / "run_tests.py", *words]
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, timeout=SUITE_SECONDS_MAX, check=False)
    print(done.stdout + done.stderr, end="")
    count = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    return tuple(map(int, count[-1])) if count else (0, 1)


def run_node(version, env, words):
    """The tests of `node/` with one pair of SDKs: (passed, failed)."""
    folder = install_node(version)
    # Node looks for packages beside the importing file.
    tests = folder / "tests"
    shutil.rmtree(tests, ignore_errors=True)
    tests.mkdir()
    for path in (HERE / "node").glob("*.mjs"):
        shutil.copy(path, tests)
    command = ["node", "--test", "--test-reporter=tap", "--test-timeout=60000", *(f"--test-name-pattern={word}" for word in words)]
    command += sorted(str(path) for path in tests.glob("*.test.mjs"))
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=SUITE_SECONDS_MAX, check=False)
    passed, failed = (re.findall(rf"^# {word} (\d+)$", done.stdout, re.MULTILINE) for word in ("pass", "fail"))
    if failed != ["0"]:
        for failure in re.findall(r"^ *not ok .*(?:\n *---\n(?:.*\n)*? *\.\.\.)?", done.stdout, re.MULTILINE):
            print("\n".join(failure.splitlines()[:FAILURE_LINES_MAX]))
    print(done.stderr, end="")
    return (int(passed[-1]), int(failed[-1])) if passed and failed else (0, 1)


def run_with_gateway(kind, version, words, direct):
    """One pair of SDKs with a gateway and a simulator of its own, so that what one suite breaks is not found broken by the next."""
    with tempfile.TemporaryDirectory(prefix="tollgate-sdk-") as folder, Simulator(folder) as simulator:
        # Settings of the SDKs that the developer has for other purposes.
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
        env = {**clean, "TESTS_SIMULATOR": simulator.url, "TESTS_KEY": CALLER_KEY, "TESTS_NARROW_KEY": NARROW_KEY, "TESTS_POOR_KEY": POOR_KEY}
        run = run_python if kind == "python" else run_node
        if direct:
            return run(version, env, words)
        with Gateway(folder, config(simulator.url), env={"TESTS_NARROW_KEY": NARROW_KEY, "TESTS_POOR_KEY": POOR_KEY}) as gateway:
            passed, failed = run(version, {**env, "TESTS_GATEWAY": gateway.url}, words)
            for trouble in gateway.troubles():
                failed += 1
                print(trouble)
            if failed:
                kept = ENVIRONMENTS / f"gateway-{kind}-{version}.log"
                shutil.copy(gateway.log, kept)
                print(f"the gateway's words are in {kept}")
            return passed, failed


def main(arguments):
    direct = "--direct" in arguments
    words = [arguments[at + 1] for at, word in enumerate(arguments[:-1]) if word == "-k"]
    chosen = [name for name in arguments if name in SUITES] or SUITES
    passed = failed = 0
    for name in chosen:
        kind, _, version = name.partition("-")
        if kind == "first":
            result = (0, 0) if direct or words else first_minute.run()
        else:
            result = run_with_gateway(kind, version, words, direct)
        print(f"{name}: {result[0]} passed, {result[1]} failed", flush=True)
        passed, failed = passed + result[0], failed + result[1]
    print(f"sdk: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
