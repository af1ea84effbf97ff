#!/usr/bin/env python3
"""A web API that says back what it was told, credentials too, for tests of what Lyftron shows.

    parrot_api.py --port N

Prints "ready" when it listens.

    /records         [{"id": 1, "heard": ...}], and a second page whose address, given in "next", repeats all parameters
    /types           records whose "id" is what was heard
    /status/N        status N; the message in JSON
    /html/N          status N; a page of HTML
    /form/N          status N; what was heard, percent-encoded
    /long/N          status N; much, and then what was heard
    /broken          status 200, JSON that breaks off within what was heard
    /cut             a body that ends before it should
    /elsewhere       redirects to the same server by another name, with what was heard in the address
    /ftp             redirects to an address that is none of HTTP
    /loop            redirects to itself
    /header          status 500; what was heard stands in a header, too
    /hang            no answer
    POST /admin/release    /hang is answered
    GET  /admin/log        requests by path
    GET  /admin/hanging    how many hang

What was heard: path, headers and body, the values of all parameters in their plain form, and credentials of
the Authorization header decoded and in base64.
"""
import argparse
import base64
import html
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit


class Parrot:
    def __init__(self):
        self.changed = threading.Condition()
        self.hanging = 0
        self.released = False
        self.log = {}

    def hang(self):
        with self.changed:
            self.hanging += 1
            self.changed.wait_for(lambda: self.released, timeout=120)
            self.hanging -= 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        body = body.encode("utf-8", "surrogateescape")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def heard(self, body):
        url = urlsplit(self.path)
        heard = {
            "path": self.path,
            "parameters": dict(parse_qsl(url.query)),
            "headers": {name: value for name, value in self.headers.items()},
            "body": body,
            "form": dict(parse_qsl(body)) if "=" in body else {},
        }
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            heard["base64"] = credentials
            heard["login"] = base64.b64decode(credentials).decode()
        elif scheme:
            heard["base64"] = base64.b64encode(credentials.encode()).decode()
        return heard

    def handle_request(self):
        parrot = self.server.parrot
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        if parts[0] == "admin":
            return self.admin(parts[1])
        # A prefix of the path may be the account's
        while parts and parts[0] not in KINDS:
            parts.pop(0)
        if not parts:
            return self.answer(404, json.dumps({"error": self.heard(body)}))
        with parrot.changed:
            parrot.log[parts[0]] = parrot.log.get(parts[0], 0) + 1
        return KINDS[parts[0]](self, self.heard(body), int(parts[1]) if len(parts) > 1 else 200)

    do_GET = do_POST = handle_request

    def admin(self, what):
        parrot = self.server.parrot
        with parrot.changed:
            if what == "release":
                parrot.released = True
                parrot.changed.notify_all()
            self.answer(200, json.dumps({"log": parrot.log, "hanging": parrot.hanging}[what]) if what != "release" else "")

    def records(self, heard, status):
        url = urlsplit(self.path)
        following = None
        if "second" not in heard["parameters"]:
            following = "http://%s%s?%s" % (self.headers["Host"], url.path, url.query + "&second=1")
        self.answer(200, json.dumps({"data": [{"id": 1 if following else 2, "heard": heard}], "next": following}))

    def types(self, heard, status):
        self.answer(200, json.dumps({"data": [{"id": json.dumps(heard)}, {"id": 3}], "next": None}))

    def status(self, heard, status):
        self.answer(status, json.dumps({"error": {"message": "not good: " + json.dumps(heard), "heard": heard}}))

    def html(self, heard, status):
        self.answer(status, "<html><body>%s</body></html>" % html.escape(repr(heard)), "text/html")

    def form(self, heard, status):
        self.answer(status, "error=" + quote(json.dumps(heard)), "text/plain")

    def long(self, heard, status):
        self.answer(status, json.dumps({"message": "x" * 470 + json.dumps(heard, ensure_ascii=False)}))

    def broken(self, heard, status):
        self.answer(200, '{"data": [{"id": 1, "heard": ' + json.dumps(heard)[:-3])

    def cut(self, heard, status):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(json.dumps(heard).encode())
        self.close_connection = True

    def elsewhere(self, heard, status):
        host = self.headers["Host"].replace("127.0.0.1", "localhost")
        self.answer(302, "", Location="http://%s/status/500?heard=%s&%s" % (host, quote(json.dumps(heard)), urlsplit(self.path).query))

    def ftp(self, heard, status):
        self.answer(302, "", Location="ftp://%s/?heard=%s" % (self.headers["Host"], quote(json.dumps(heard))))

    def loop(self, heard, status):
        self.answer(302, "", Location=self.path)

    def header(self, heard, status):
        self.answer(500, "", X_Error=quote(json.dumps(heard)), Retry_After="never " + quote(json.dumps(heard)))

    def hang(self, heard, status):
        self.server.parrot.hang()
        self.answer(200, json.dumps({"data": [], "next": None}))


KINDS = {name: getattr(Handler, name) for name in (
    "records", "types", "status", "html", "form", "long", "broken", "cut", "elsewhere", "ftp", "loop", "header", "hang")}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.parrot = Parrot()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
