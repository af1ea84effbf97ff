#!/usr/bin/env python3
"""A web API that serves what a test gives it, for tests of single records.

    given_api.py --port N

Prints "ready" when it listens.

    POST /admin/put?path=/P&page=N     the body, a JSON array, becomes page N of /P
    POST /admin/clear?path=/P          /P has no pages any more
    POST /admin/hold?path=/P&page=N    that page is not answered from now on
    POST /admin/refuse?path=/P         /P answers 403 from now on, and says with which credentials it was asked
    POST /admin/release                held pages are answered again
    GET  /admin/log                    requests served so far, by path, and by path and page
    GET  /admin/queries                the queries of all requests for pages, in their order
    GET  /P?page=N                     {"data": [...], "next_page": n or null}; no page: the first

The body of a page is passed on as it came, byte by byte.
"""
import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Given:
    def __init__(self):
        self.changed = threading.Condition()
        self.pages = {}
        self.held = set()
        self.refused = set()
        self.log = {}
        self.queries = []

    def note(self, path, page, query):
        with self.changed:
            for key in (path, "%s#%d" % (path, page)):
                self.log[key] = self.log.get(key, 0) + 1
            self.queries.append(path + "?" + query)
            self.changed.wait_for(lambda: (path, page) not in self.held)
            return self.pages.get((path, page), b"[]"), (path, page + 1) in self.pages


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        given = self.server.given
        if url.path == "/admin/log":
            return self.answer(json.dumps(given.log).encode())
        if url.path == "/admin/queries":
            return self.answer("\n".join(given.queries).encode())
        page = int(parse_qs(url.query).get("page", ["1"])[-1])
        records, more = given.note(url.path, page, url.query)
        try:
            if url.path in given.refused:
                return self.answer(json.dumps({"message": "no access with " + self.headers["Authorization"]}).encode(), 403)
            self.answer(b'{"data":' + records + b',"next_page":' + (b"%d" % (page + 1) if more else b"null") + b"}")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_POST(self):
        url = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.server.given
        key = query.get("path"), int(query.get("page", 1))
        with given.changed:
            if url.path == "/admin/put":
                given.pages[key] = body
            elif url.path == "/admin/clear":
                given.pages = {k: v for k, v in given.pages.items() if k[0] != key[0]}
            elif url.path == "/admin/hold":
                given.held.add(key)
            elif url.path == "/admin/refuse":
                given.refused.add(key[0])
            elif url.path == "/admin/release":
                given.held.clear()
            else:
                return self.answer(b"{}", 404)
            given.changed.notify_all()
        self.answer(b"{}")


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = Server(("127.0.0.1", parser.parse_args().port), Handler)
    server.given = Given()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
