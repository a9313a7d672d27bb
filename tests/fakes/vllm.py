"""Stands for the serve environment's python running vLLM's server: answers on the port of its --config file.

A chat is answered with numbers: `count from 7 in 3 steps` with `7 8 9 `, and `knows ` before them where the passages before the
model hold "tends the lamp". FAKE_VLLM: `fail` ends at once with a known error, `slow` never answers.
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
PAUSE = 0.02  # seconds between two words


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.whole({"object": "list", "data": [{"id": "small"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokenize":
            self.whole({"count": len(json.dumps(asked)) // 4, "max_model_len": 100_000})
            return
        text = json.dumps(asked["messages"])
        start, steps = map(int, re.findall(r"count from (\d+) in (\d+) steps", text)[-1])
        words = [*(["knows "] if "tends the lamp" in text else []), *(f"{number} " for number in range(start, start + steps))]
        if asked.get("stream"):
            self.events(words)
        else:
            time.sleep(PAUSE * len(words))
            self.whole({"choices": [{"index": 0, "message": {"role": "assistant", "content": "".join(words)}, "finish_reason": "stop"}]})

    def whole(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self, words: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for word in words:
            self.chunk(json.dumps({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}))
            time.sleep(PAUSE)
        self.chunk(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        self.chunk("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

    def log_message(self, *words: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *who: object) -> None:
        pass  # a client that hung up


Server(("127.0.0.1", int(re.search(r"^port: (\d+)$", config, re.MULTILINE)[1])), Handler).serve_forever()
