"""The corpus' `replay.py`, every answer cut into pieces of N bytes, each its own write.

usage: cut.py '{"PORT": N, …}' FOLDER...      with `replay.py`'s folder in TOLLGATE_TOOLS
`replay.py` cuts when a request header asks for it; headers of callers do not cross the gateway, so it is set here.
"""

import json
import os
import sys
import threading

ports, folders = json.loads(sys.argv[1]), sys.argv[2:]
sys.argv = ["replay.py", "0", *folders]
sys.path.insert(0, os.environ["TOLLGATE_TOOLS"])
import replay  # noqa: E402  (it reads its arguments while it is imported)


def handler(size):
    """Requests of one port."""

    class Cut(replay.H):
        def do_POST(self):
            self.headers["x-corpus-split"] = str(size)
            super().do_POST()

    return Cut


servers = [replay.S(("127.0.0.1", int(port)), handler(size)) for port, size in ports.items()]
threads = [threading.Thread(target=server.serve_forever) for server in servers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
