"""A TCP proxy on loopback that cuts its connections: the n-th after CUTS[n] bytes from the server, or never where that is -1.

usage: cutproxy.py TARGET_PORT PORT_FILE CUT...   (the last CUT holds for all connections after)
"""
import os, socket, sys, threading

target, port_file, cuts = int(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3:]]


def pump(source, sink, limit, both):
    try:
        while limit != 0:
            data = source.recv(65536 if limit < 0 else min(65536, limit))
            if not data:
                break
            sink.sendall(data)
            if limit > 0:
                limit -= len(data)
    except OSError:
        pass
    for end in both:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(port_file + ".new", port_file)
count = 0
while True:
    client, _ = listener.accept()
    cut = cuts[min(count, len(cuts) - 1)]
    count += 1
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        continue
    both = (client, server)
    threading.Thread(target=pump, args=(client, server, -1, both), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, cut, both), daemon=True).start()
