"""A small WebDAV server with TLS and basic authentication. Arguments: root directory, user:password, then, for TLS, the
certificate and its key. `--no-chunks` as the last argument refuses uploads without a length. Prints one JSON line with its
port; serves until its input closes."""
import base64
import email.utils
import hashlib
import json
import os
import shutil
import ssl
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
root = os.path.realpath(arguments[0])
expected = "Basic " + base64.b64encode(arguments[1].encode()).decode()


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                count = int(self.rfile.readline().split(b";")[0], 16)
                if count:
                    yield self.rfile.read(count)
                self.rfile.readline()
                if count == 0:
                    return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 18))
            if not piece:
                raise ConnectionError
            left -= len(piece)
            yield piece

    def path_here(self):
        return os.path.join(root, urllib.parse.unquote(self.path).strip("/"))

    def tag(self, path):
        info = os.stat(path)
        return '"' + hashlib.md5(f"{info.st_ino} {info.st_mtime_ns} {info.st_size}".encode()).hexdigest() + '"'

    def allowed(self):
        if self.headers.get("Authorization") == expected:
            return True
        self.close_connection = True
        self.reply(401, headers=[("WWW-Authenticate", "Basic")])
        return False

    def do_PUT(self):
        if not self.allowed():
            return
        if "--no-chunks" in sys.argv and "Content-Length" not in self.headers:
            self.close_connection = True
            return self.reply(411)
        path = self.path_here()
        if not os.path.isdir(os.path.dirname(path)):
            for _ in self.body():
                pass
            return self.reply(409)
        part = f"{path}.{threading.get_ident()}.part"
        try:
            with open(part, "wb") as file:
                for piece in self.body():
                    file.write(piece)
            os.rename(part, path)
        except (ValueError, OSError):
            os.remove(part)
            raise ConnectionError
        self.reply(201, headers=[("ETag", self.tag(path))])

    def do_GET(self):
        if not self.allowed():
            return
        path = self.path_here()
        if not os.path.isfile(path):
            return self.reply(404)
        size = os.path.getsize(path)
        start = 0
        wanted = self.headers.get("Range")
        if "If-Match" in self.headers and self.headers["If-Match"] != self.tag(path):
            return self.reply(412)
        if wanted:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("ETag", self.tag(path))
        self.send_header("Last-Modified", email.utils.formatdate(os.path.getmtime(path), usegmt=True))
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if self.command == "GET":
            with open(path, "rb") as file:
                file.seek(start)
                shutil.copyfileobj(file, self.wfile)

    do_HEAD = do_GET

    def do_DELETE(self):
        if not self.allowed():
            return
        path = self.path_here()
        if not os.path.isfile(path):
            return self.reply(404)
        os.remove(path)
        self.reply(204)

    def do_MKCOL(self):
        if not self.allowed():
            return
        try:
            os.mkdir(self.path_here())
            self.reply(201)
        except FileExistsError:
            self.reply(405)
        except FileNotFoundError:
            self.reply(409)

    def do_PROPFIND(self):
        if not self.allowed():
            return
        for _ in self.body():
            pass
        path = self.path_here()
        if not os.path.isdir(path):
            return self.reply(404)
        out = ['<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">']
        for name in [""] + sorted(os.listdir(path)):
            here = os.path.join(path, name)
            href = urllib.parse.quote(self.path.rstrip("/") + "/" + name, safe="/%")
            kind = "<D:collection/>" if os.path.isdir(here) else ""
            out.append(
                f"<D:response><D:href>{href}{'/' if kind and name else ''}</D:href><D:propstat><D:prop><D:resourcetype>{kind}"
                f"</D:resourcetype><D:getcontentlength>{os.path.getsize(here)}</D:getcontentlength></D:prop>"
                "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>")
        out.append("</D:multistatus>")
        self.reply(207, "".join(out).encode(), [("Content-Type", "application/xml")])


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
server.daemon_threads = True
if len(arguments) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments[2], arguments[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps({"port": server.server_address[1]}), flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
