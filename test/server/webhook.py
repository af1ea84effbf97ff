#!/usr/bin/env python3
"""A service that is told things by POST, for tests of alerts.

    webhook.py --port N

Prints "ready" when it listens.

    POST /hook/NAME                   is written down, and answered 200, or as the admin said
    POST /admin/fail?hook=NAME&status=S&times=N[&retry_after=S]     the next N are answered with S
    GET  /admin/got?hook=NAME         what was sent to it, each {"status", "headers", "body"}
"""
import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Hooks:
    def __init__(self):
        self.lock = threading.Lock()
        self.got = {}
        self.failures = {}

    def fail(self, hook, status, times, retry_after):
        with self.lock:
            self.failures[hook] = [status, times, retry_after]

    def receive(self, hook, headers, body):
        """Write it down; the answer's status and Retry-After."""
        with self.lock:
            failure = self.failures.get(hook, [200, 0, None])
            failure[1] -= 1
            status, wait = (failure[0], failure[2]) if failure[1] >= 0 else (200, None)
            self.got.setdefault(hook, []).append({"status": status, "headers": headers, "body": body})
            return status, wait


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def question(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def do_GET(self):
        self.answer(200, self.server.hooks.got.get(self.question().get("hook"), []))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if path == "/admin/fail":
            q = self.question()
            self.server.hooks.fail(q["hook"], int(q["status"]), int(q["times"]), q.get("retry_after"))
            self.answer(200, True)
            return
        status, wait = self.server.hooks.receive(path.split("/")[2], dict(self.headers), body.decode())
        more = {"Retry_After": wait} if wait is not None else {}
        # a redirect that must not be followed
        if status in (301, 302, 307, 308):
            more["Location"] = "/hook/elsewhere"
        self.answer(status, {"heard": dict(self.headers)}, **more)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.hooks = Hooks()
    print("ready", flush=True)
    server.serve_forever()


main()
