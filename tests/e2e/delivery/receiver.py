"""An HTTP server for JSON lines of alerts: `receiver.py PORT LOG STALL`.

Writes ``number id delay`` for each alert into the log before it answers: the name of the opened file, and the seconds since that. STALL is how many
seconds pass before the first request is answered, which is not written; every 97th request after it takes a second.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, stall = int(sys.argv[1]), float(sys.argv[3])
log = open(sys.argv[2], "a")  # noqa: SIM115  until it is killed
requests = itertools.count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number = next(requests)
        if stall and not number:
            time.sleep(stall)
            return
        if stall and number % 97 == 0:
            time.sleep(1)
        now = time.time()
        lines = []
        for line in body.splitlines():
            alert = json.loads(line)
            fields = alert["output_fields"]
            if alert["rule"] == "number":
                lines.append(f"{fields['fd.name'].rpartition('/')[2]} {alert['id']} {now - fields['evt.time'] / 1e9:.3f}\n")
        log.write("".join(lines))
        log.flush()
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A sensor that is killed leaves its connections as they are."""


Server(("127.0.0.1", port), Handler).serve_forever()
