#!/usr/bin/env python3
"""A web server that misbehaves on request, for the tests of the HTTP client.

    fault_server.py [--port N]      prints "ready PORT" once it listens

    /stall                  accepts the request and never answers
    /trickle?first=S        a byte a second, the head first
    /reset                  resets the connection in the middle of a body
    /short                  closes before the announced length has come
    /gzip /deflate          a compressed body
    /bomb?mb=N              N MB of zeros as a small gzip body
    /badgzip                says gzip, sends something else
    /big?mb=N               N MB, announced; &chunked=1: not announced
    /headers?kb=N           N kB of headers
    /redirect?to=URL&code=N     redirects (302); /redirect-loop: to itself
    /status/N               an empty response of that status
    /flaky?fail=N&key=K     503 N times, then 200
    /retry-after?seconds=N or ?date=HTTP-DATE    429 with that Retry-After
    /echo                   method, path, headers, body and connection as JSON
    /slow?ms=N              answers after that time
    /notjson                an HTML page
    /latin1                 a header value in Latin-1
    /connections            how many connections and requests there have been
"""
import argparse
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HTML = b"<html><body><h1>Down for maintenance</h1></body></html>"


class Counters:
    def __init__(self):
        self.lock = threading.Lock()
        self.connections = 0
        self.requests = 0
        self.failed = {}

    def connection(self):
        with self.lock:
            self.connections += 1
            return self.connections

    def request(self):
        with self.lock:
            self.requests += 1

    def fail(self, key, times):
        """True the first so many times for a key."""
        with self.lock:
            self.failed[key] = self.failed.get(key, 0) + 1
            return self.failed[key] <= times


COUNTERS = Counters()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.connection_number = COUNTERS.connection()

    def log_message(self, *args):
        pass

    def argument(self, name, default):
        return self.query.get(name, [default])[0]

    def send(self, body, status=200, content_type="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value, status=200, **headers):
        self.send(json.dumps(value).encode(), status, **headers)

    def send_part(self, body, length):
        """A head that announces more than comes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = True

    def answer(self):
        COUNTERS.request()
        url = urlsplit(self.path)
        self.query = parse_qs(url.query, keep_blank_values=True)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = url.path.strip("/").split("/")[0]
        respond = RESPONSES.get(name)
        try:
            if respond is None:
                self.send_json({"error": "not found"}, 404)
            else:
                respond(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer


def stall(h):
    h.connection.settimeout(600)
    h.rfile.read(1)     # until the client goes away
    h.close_connection = True


def trickle(h):
    time.sleep(float(h.argument("first", "0")))
    h.send_part(b"", 3600)
    for _ in range(3600):
        h.wfile.write(b" ")
        time.sleep(1)


def reset(h):
    h.send_part(b'[{"id": 1}, ', 1000)
    time.sleep(0.1)
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    h.connection.close()


def short(h):
    h.send_part(b'[{"id": 1}', 1000)


def compressed_gzip(h):
    h.send(gzip.compress(b'{"compressed": "gzip"}'), Content_Encoding="gzip")


def compressed_deflate(h):
    h.send(zlib.compress(b'{"compressed": "deflate"}'), Content_Encoding="deflate")


def bomb(h):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1024 * 1024)
    body = b"".join(compressor.compress(zeros) for _ in range(int(h.argument("mb", "1024"))))
    h.send(body + compressor.flush(), Content_Encoding="gzip")


def badgzip(h):
    h.send(b"this is not gzip", Content_Encoding="gzip")


def big(h):
    block = b"x" * (1024 * 1024)
    chunked = h.argument("chunked", "") != ""
    count = int(h.argument("mb", "1"))
    h.send_response(200)
    if chunked:
        h.send_header("Transfer-Encoding", "chunked")
    else:
        h.send_header("Content-Length", str(count * len(block)))
    h.end_headers()
    for _ in range(count):
        h.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
    if chunked:
        h.wfile.write(b"0\r\n\r\n")


def many_headers(h):
    h.send(b"{}", **{"X-Filler-%d" % n: "x" * 1000 for n in range(int(h.argument("kb", "1")))})


def redirect(h):
    h.send(b"moved", int(h.argument("code", "302")), Location=h.argument("to", "/echo"))


def redirect_loop(h):
    h.send(b"moved", 302, Location="/redirect-loop")


def status(h):
    code = int(urlsplit(h.path).path.rsplit("/", 1)[1])
    if code in (204, 304):
        h.send_response(code)
        h.end_headers()
    else:
        h.send_json({"status": code}, code)


def flaky(h):
    if COUNTERS.fail(h.argument("key", ""), int(h.argument("fail", "1"))):
        h.send_json({"error": "try again"}, 503)
    else:
        h.send_json({"ok": True})


def retry_after(h):
    h.send_json({"error": "too many requests"}, 429,
                Retry_After=h.argument("date", "") or h.argument("seconds", "1"))


def echo(h):
    h.send_json({"method": h.command, "path": h.path, "headers": list(h.headers.items()),
                 "body": h.body.decode("utf-8", "replace"), "connection": h.connection_number})


def slow(h):
    time.sleep(int(h.argument("ms", "100")) / 1000)
    h.send_json({"slept": True, "connection": h.connection_number})


def notjson(h):
    h.send(HTML, content_type="text/html")


def latin1(h):
    h.send(b"{}", X_Name="M\xfcller")


def connections(h):
    h.send_json({"connections": COUNTERS.connections, "requests": COUNTERS.requests})


RESPONSES = {
    "stall": stall, "trickle": trickle, "reset": reset, "short": short, "gzip": compressed_gzip,
    "deflate": compressed_deflate, "bomb": bomb, "badgzip": badgzip, "big": big,
    "headers": many_headers, "redirect": redirect, "redirect-loop": redirect_loop,
    "status": status, "flaky": flaky, "retry-after": retry_after, "echo": echo, "slow": slow,
    "notjson": notjson, "latin1": latin1, "connections": connections,
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    server = Server(("127.0.0.1", parser.parse_args().port), Handler)
    print("ready", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
