"""An object store that others wrote, on a free loopback port: prints its address, and ends when its input does."""

import logging
import sys

from moto.server import ThreadedMotoServer

# Not a line for each request.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"{host}:{port}", flush=True)
sys.stdin.read()
server.stop()
