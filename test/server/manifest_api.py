#!/usr/bin/env python3
"""A web API that answers what a test told it to, and remembers what it was asked.

    manifest_api.py --port N

Prints "ready" when it listens.

    POST /admin/answers     {"GET /items?page=2": [answer, ...], ...}: the answers from now on; forgets the
                            requests so far
    GET  /admin/requests    the requests since then: [{"request", "headers", "body"}, ...]

A request is looked up as "METHOD /path?query", with the query's parameters sorted and decoded, then as "METHOD /path".  Its
answers are given one after the other, the last one for ever.  An answer is a body (any JSON), or a map with
"status" and one or more of
    "headers": {...}    "json": any    "text": "..."    "base64": "..."    "repeat": [text, times]
What nothing is said about is answered with 404.
"""
import argparse
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

lock = threading.Lock()
answers = {}
requests = []


def body_of(answer):
    if "text" in answer:
        return answer["text"].encode()
    if "base64" in answer:
        return base64.b64decode(answer["base64"])
    if "repeat" in answer:
        text, times = answer["repeat"]
        return text.encode() * times
    return json.dumps(answer.get("json")).encode() if "json" in answer else b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def administer(self, path, body):
        if path == "/admin/answers":
            answers.clear()
            answers.update(json.loads(body))
            requests.clear()
        self.send(200, json.dumps(requests).encode(), {})

    def choose(self, names):
        """The next answer, by the first name that has one."""
        for name in names:
            if name in answers:
                rest = answers[name]
                return rest.pop(0) if len(rest) > 1 else rest[0]
        return {"status": 404, "json": {"error": "nothing is said about " + names[0]}}

    def answer(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        with lock:
            if url.path.startswith("/admin/"):
                return self.administer(url.path, body)
            query = "&".join("%s=%s" % pair for pair in sorted(parse_qsl(url.query, keep_blank_values=True)))
            path = self.command + " " + unquote(url.path)
            full = path + "?" + query if query else path
            requests.append({"request": full, "headers": dict(self.headers.items()), "body": body})
            answer = self.choose([full, path])
        if not (isinstance(answer, dict) and "status" in answer):
            answer = {"status": 200, "json": answer}
        self.send(answer["status"], body_of(answer), answer.get("headers", {}))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
