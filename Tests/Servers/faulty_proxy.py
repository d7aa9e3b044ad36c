"""A proxy in front of an HTTP server that goes wrong as it is told. Arguments: upstream port, then rules as JSON objects.

A rule: {"method": "PUT", "path": "substring", "skip": 0, "times": 1, "do": ..., ...}; the first that fits acts. What it does:
  status      answers with "status", "headers" and "body", without asking the server
  after       lets the server do it, then answers so all the same
  cut-request reads half of the body, then closes the connection
  cut-answer  closes the connection after "bytes" of the answer's body
  truncate    gives only the first "bytes" of the object, as if that were all of it (HEAD too)
  swallow     says that all is well and stores nothing
  stale       answers a GET with what the first GET of the same path gave
  flip        flips one bit of the answer's body, in its middle or "at" a byte
Prints one JSON line with its port, and each request it served as a line on stderr; serves until its input closes.
"""
import http.client
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

upstream = int(sys.argv[1])
rules = [json.loads(text) for text in sys.argv[2:]]
lock = threading.Lock()
first_answers = {}


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def rule(self):
        with lock:
            for rule in rules:
                if rule.get("method", self.command) != self.command or rule.get("path", "") not in self.path:
                    continue
                if rule.get("skip", 0) > 0:
                    rule["skip"] -= 1
                    continue
                if rule.get("times", 1) > 0:
                    rule["times"] = rule.get("times", 1) - 1
                    return rule
        return {"do": "nothing"}

    def cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, status, headers, body, cut_after=None):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = dict((k.lower(), v) for k, v in headers).get("content-length", len(body)) if self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body if cut_after is None else body[:cut_after])
        if cut_after is not None:
            self.wfile.flush()
            self.cut()

    def ask(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", upstream)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect", "content-length", "transfer-encoding"):
                connection.putheader(name, value)
        if body or self.command in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def read_body(self, size):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while True:
                count = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(count)
                self.rfile.readline()
                if count == 0:
                    return body
        return self.rfile.read(size)

    def serve(self):
        rule = self.rule()
        do = rule["do"]
        print(self.command, self.path, do, file=sys.stderr, flush=True)
        size = int(self.headers.get("Content-Length", 0))
        if do == "cut-request":
            self.rfile.read(size // 2)
            return self.cut()
        body = self.read_body(size)
        said = (rule.get("status", 200), list(rule.get("headers", {}).items()), rule.get("body", "").encode())
        if do == "status":
            return self.answer(*said)
        if do == "swallow":
            return self.answer(200, [("ETag", '"0123"')], b"")
        status, headers, content = self.ask(body)
        if do == "after":
            return self.answer(*said)
        if do == "cut-answer":
            return self.answer(status, headers, content, rule["bytes"])
        if do == "truncate":
            if self.command == "HEAD":
                headers = [(k, v) for k, v in headers if k.lower() != "content-length"] + [("Content-Length", rule["bytes"])]
            return self.answer(status, headers, content[: rule["bytes"]])
        if do == "flip" and content:
            at = rule.get("at", len(content) // 2)
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]
        if self.command == "GET":
            with lock:
                old = first_answers.setdefault(self.path, (status, headers, content))
            if do == "stale":
                status, headers, content = old
        self.answer(status, headers, content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_MKCOL = do_PROPFIND = do_MOVE = serve


server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
server.daemon_threads = True
print(json.dumps({"port": server.server_address[1]}), flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
