#!/usr/bin/env python3
"""A webhook for tests. Answers each POST with the next of its answers: a status, or `hang` (it never answers); the last one goes on.

webhook.py RECORD [--tls CERT KEY] ANSWER...
Writes each request as a JSON line to RECORD, prints {"port": N} as its first line, and ends when its input closes.
"""
import http.server
import json
import ssl
import sys
import threading

arguments = sys.argv[1:]
record = arguments.pop(0)
tls = None
if arguments[0] == "--tls":
    tls = (arguments[1], arguments[2])
    arguments = arguments[3:]
lock = threading.Lock()


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        with lock:
            answer = arguments[0] if len(arguments) == 1 else arguments.pop(0)
            line = {
                "path": self.path,
                "type": self.headers.get("Content-Type"),
                "authorization": self.headers.get("Authorization"),
                "answer": answer,
                "body": json.loads(body),
            }
            with open(record, "a") as file:
                file.write(json.dumps(line) + "\n")
        if answer == "hang":
            threading.Event().wait()
        self.send_response(int(answer))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
server.daemon_threads = True
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
sys.stdin.read()
