"""The first minute of a newcomer: `tollgate` without arguments in an empty folder prints a curl line that works as pasted.

It needs the default ports; while somebody else has them, the same is tried with other addresses on the command line.
"""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from harness.process import Process, binary, free_port

ANSWER_SECONDS_MAX = 15


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def pasteable(words):
    """The curl command within what was printed, with its continuation lines."""
    words = re.sub(r"\x1b\[[0-9;]*m", "", words)
    lines = words.splitlines()
    for at, line in enumerate(lines):
        if line.lstrip().removeprefix("$ ").startswith("curl "):
            command = [line.lstrip().removeprefix("$ ")]
            while (command[-1].endswith("\\") or "\n".join(command).count("'") % 2) and at + 1 < len(lines):
                at += 1
                command.append(lines[at])
            return "\n".join(command)
    return None


def run():
    """(passed, failed)."""
    free = is_free(8080) and is_free(8081)
    arguments = [] if free else ["--listen", f"127.0.0.1:{free_port()}", "--admin-listen", f"127.0.0.1:{free_port()}"]
    env = {name: "" for name in os.environ if name.endswith("_API_KEY")}
    problems = []
    with tempfile.TemporaryDirectory(prefix="tollgate-first-") as folder:
        with Process([binary(), *arguments], pathlib.Path(folder) / "words.log", env=env, cwd=folder) as process:
            command, deadline = None, time.monotonic() + ANSWER_SECONDS_MAX
            while command is None and process.alive() and time.monotonic() < deadline:
                time.sleep(0.05)
                command = pasteable(process.words(20_000))
            # The command may have been read while it was being written.
            time.sleep(0.3)
            command = pasteable(process.words(20_000))
            if command is None:
                problems.append(f"no curl line was printed:\n{process.words()}")
            else:
                pasted = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=False)
                if pasted.returncode != 0 or '"choices"' not in pasted.stdout and '"content"' not in pasted.stdout:
                    problems.append(f"{command}\ngave {pasted.returncode}: {pasted.stdout[:500]}{pasted.stderr[:500]}")
            for port in (8080, 8081) if free else ():
                if f"127.0.0.1:{port}" not in process.words(20_000):
                    problems.append(f"it does not mention port {port}:\n{process.words()}")
    for problem in problems:
        print(f"first minute: {problem}")
    return (0, 1) if problems else (1, 0)
