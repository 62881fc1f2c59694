"""Logs the lines of standard input through one of Python's rotating handlers: rotate.py KIND FILE."""

import gzip
import logging
import os
import sys
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler


def compress(source, target):
    with open(source, "rb") as plain, gzip.open(target, "wb") as packed:
        packed.write(plain.read())
    os.remove(source)


kind, file = sys.argv[1:]
if kind == "size":
    handler = RotatingFileHandler(file, maxBytes=4096, backupCount=20)
elif kind == "size-2":
    handler = RotatingFileHandler(file, maxBytes=4096, backupCount=2)
elif kind == "size-gz":
    handler = RotatingFileHandler(file, maxBytes=4096, backupCount=20)
    handler.namer = lambda name: name + ".gz"
    handler.rotator = compress
elif kind == "time":
    handler = TimedRotatingFileHandler(file, when="S", interval=1)
elif kind.startswith("loguru"):
    from loguru import logger

    logger.remove()
    compression = kind.removeprefix("loguru-") if "-" in kind else None
    logger.add(file, format="{message}", rotation=4096, compression=compression)
    handler = logging.NullHandler()
    # loguru takes the records of other loggers from such a handler.
    handler.emit = handler.handle = lambda record: logger.error(record.getMessage())
elif kind == "twisted":
    from twisted.python.logfile import LogFile

    handler = logging.StreamHandler(LogFile.fromFullPath(file, rotateLength=4096))
else:
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    handler = ConcurrentRotatingFileHandler(
        file, maxBytes=4096, backupCount=20, use_gzip=kind == "concurrent-gz"
    )
handler.setFormatter(logging.Formatter("%(message)s"))
log = logging.getLogger("app")
log.addHandler(handler)
for line in iter(sys.stdin.readline, ""):
    log.error(line.rstrip("\n"))
logging.shutdown()
