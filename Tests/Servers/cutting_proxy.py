"""Passes TCP connections on to a port of loopback, and cuts the first few of them. Arguments: upstream port, bytes after which
a connection is cut (both ways together), how many connections. Prints one JSON line with its port; serves until its input
closes."""
import json
import socket
import sys
import threading

upstream, limit, times = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
lock = threading.Lock()


def serve(client):
    global times
    server = socket.create_connection(("127.0.0.1", upstream))
    with lock:
        left = [limit if times > 0 else None]
        times -= 1

    def cut():
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pump(source, target):
        try:
            while data := source.recv(65536):
                if left[0] is not None:
                    left[0] -= len(data)
                    if left[0] < 0:
                        break
                target.sendall(data)
        except OSError:
            pass
        cut()

    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)


listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
