"""Answers like an API server, over TLS with client certificates: pages of a collection, health, refusals. A stand-in for tests of the
client only.

usage: apiserver.py PORT_FILE CA CERT KEY
"""
import http.server, json, os, ssl, sys, urllib.parse

port_file, ca, cert, key = sys.argv[1:]
pods = [{"metadata": {"name": "p%d" % n, "namespace": "default"}} for n in range(1203)]
expire_once = [True]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def refuse(self, status, message):
        self.answer(status, {"kind": "Status", "status": "Failure", "message": message, "code": status})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        if url.path == "/version":
            return self.answer(200, {"gitVersion": "v1.21.0"})
        if url.path == "/apis":
            groups = [("good.example.com", "v1"), ("down.example.com", "v1")]
            return self.answer(200, {"groups": [{"name": n, "preferredVersion": {"groupVersion": n + "/" + v}} for n, v in groups]})
        if url.path in ("/api/v1", "/apis/good.example.com/v1"):
            names = ["pods", "pods/log", "secrets"] if url.path == "/api/v1" else ["widgets"]
            return self.answer(200, {"resources": [{"name": n, "verbs": ["get", "list"]} for n in names]})
        if url.path == "/apis/good.example.com/v1/widgets":
            return self.refuse(500, "conversion webhook for widgets failed")
        if url.path == "/apis/down.example.com/v1":
            return self.refuse(503, "service unavailable")
        if url.path == "/readyz":
            return self.answer(500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
        if url.path == "/livez":
            return self.answer(200, "[+]ping ok\nlivez check passed\n")
        if url.path in ("/api/v1/pods", "/api/v1/uncounted"):
            start = int(query.get("continue", "at+/0")[4:])
            if start == 1000 and expire_once and url.path == "/api/v1/pods":
                expire_once.clear()
                return self.refuse(410, "The provided continue parameter is too old")
            end = start + int(query["limit"])
            meta = {"resourceVersion": "1"}
            if end < len(pods):
                meta["continue"] = "at+/%d" % end
                if url.path == "/api/v1/pods":
                    meta["remainingItemCount"] = len(pods) - end
            return self.answer(200, {"metadata": meta, "items": pods[start:end]})
        if url.path == "/api/v1/secrets":
            return self.refuse(403, "secrets is forbidden")
        if url.path == "/api/v1/broken":
            return self.answer(200, "{")
        self.refuse(404, "not found")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
