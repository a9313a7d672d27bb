"""Stands for the serve environment's python running vLLM's server: answers /health on the port of its --config file.

FAKE_VLLM: `fail` ends at once with a known error, `slow` never answers.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import time

config = pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text()
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(json.dumps({"argv": sys.argv[1:], "config": config}) + "\n")
mood = os.environ.get("FAKE_VLLM", "")
if mood == "fail":
    sys.exit("ValueError: No available memory for the cache blocks.")
child = subprocess.Popen(["sleep", "300"])  # vLLM has an engine process beside its server
print("engine", child.pid, flush=True)
if mood == "slow":
    time.sleep(300)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


http.server.HTTPServer(("127.0.0.1", int(re.search(r"^port: (\d+)$", config, re.MULTILINE)[1])), Handler).serve_forever()
