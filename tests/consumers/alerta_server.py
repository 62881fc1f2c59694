"""Runs Alerta's server on a loopback port, prints the port, and serves until it is killed.

    alerta_server.py DATABASE_URL
"""

import logging
import sys

from alerta.app import create_app
from werkzeug.serving import make_server

logging.disable(logging.CRITICAL)
app = create_app({"DATABASE_URL": sys.argv[1], "DATABASE_NAME": "alerta", "SECRET_KEY": "test"})
server = make_server("127.0.0.1", 0, app)
print(server.server_port, flush=True)
server.serve_forever()
