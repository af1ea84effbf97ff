#!/usr/bin/env python3
"""Answers with exactly the bytes that a case says, right or wrong.

    invalid_api.py --port N [--certificate FILE]

Prints "ready" when it listens. GET /WAY/CASE answers as test/data/invalid/CASE says; WAY is whatever the test
wants to keep apart. GET /count/WAY/CASE says how many requests there have been, GET /setup gives a record, and
GET /authorization one that has the Authorization header in it.

A case has a file "response", which goes out byte by byte, or "response.json": an answer, or a map with "answers", a
list of them, given one after the other and the last one for ever. An answer is a map of

    "status"    "200 OK"
    "headers"   {name: value}, besides Content-Type: application/json; values are like the body
    "filler"    so many headers more
    "body"      a text, or a list of parts: a text, {"repeat": text, "times": n} with %d for the number, {"hex": bytes}
    "raw"       all of the response, like the body
    "gzip"      true: the body goes out compressed, and says so; or how many bytes of that go out
    "length"    what Content-Length says, where that is not the body's length; null: there is none
    "chunked"   true: in chunks of 1000 bytes
    "then"      "close" or "reset": what happens to the connection afterwards

In headers and body __SELF__ is this server, __OTHER__ the same by another name, and __HERE__ the path asked for.
"""
import argparse
import gzip
import json
import os
import socket
import socketserver
import ssl
import struct
import threading

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "invalid")
lock = threading.Lock()
counts = {}
options = None


def fill(text, here):
    scheme = "https" if options.certificate else "http"
    for name, value in {"__SELF__": "%s://localhost:%d" % (scheme, options.port),
                        "__OTHER__": "%s://127.0.0.1:%d" % (scheme, options.port), "__HERE__": here}.items():
        text = text.replace(name, value)
    return text


def part(p, here):
    if isinstance(p, str):
        return fill(p, here).encode("utf-8", "surrogatepass")
    if "hex" in p:
        return bytes.fromhex(p["hex"])
    if "%d" in p["repeat"]:
        return b"".join((p["repeat"].replace("%d", str(i))).encode() for i in range(p["times"]))
    return p["repeat"].encode() * p["times"]


def text_of(value, here):
    return b"".join(part(p, here) for p in (value if isinstance(value, list) else [value]))


def chunks(body):
    for start in range(0, len(body), 1000):
        piece = body[start:start + 1000]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def make(answer, here):
    if "raw" in answer:
        return text_of(answer["raw"], here)
    body = text_of(answer.get("body", ""), here)
    headers = {"Content-Type": "application/json"}
    if "gzip" in answer:
        body = gzip.compress(body, 9)
        headers["Content-Encoding"] = "gzip"
        if answer["gzip"] is not True:
            body = body[:answer["gzip"]]
    if answer.get("chunked"):
        headers["Transfer-Encoding"] = "chunked"
        body = b"".join(chunks(body))
    elif answer.get("length", "") is not None:
        headers["Content-Length"] = str(answer.get("length", len(body)))
    headers.update(answer.get("headers", {}))
    headers.update(("X-Filler-%d" % i, "x") for i in range(answer.get("filler", 0)))
    head = b"HTTP/1.1 %s\r\n" % answer.get("status", "200 OK").encode()
    head += b"".join(b"%s: %s\r\n" % (name.encode(), text_of(value, here)) for name, value in headers.items())
    return head + b"\r\n" + body


def respond(target, authorization):
    """The bytes for a path, and what to do to the connection."""
    path = target.split("?")[0].strip("/")
    if path.startswith("count/"):
        return make({"body": str(counts.get(path[len("count/"):], 0))}, target), "close"
    if path == "setup":
        return make({"body": '[{"id": 0, "name": "before"}]'}, target), None
    if path == "authorization":
        return make({"body": json.dumps([{"id": 1, "name": authorization}])}, target), None
    with lock:
        counts[path] = number = counts.get(path, 0) + 1
    folder = os.path.join(CASES, os.path.basename(path))
    if os.path.exists(os.path.join(folder, "response")):
        with open(os.path.join(folder, "response"), "rb") as f:
            return f.read(), "close"
    if not os.path.exists(os.path.join(folder, "response.json")):
        return make({"status": "404 Not Found", "body": "{}"}, target), None
    with open(os.path.join(folder, "response.json"), encoding="utf-8") as f:
        answers = json.load(f)
    answers = answers.get("answers", [answers])
    answer = answers[min(number, len(answers)) - 1]
    return make(answer, target), answer.get("then")


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline().decode("latin-1").split()
            if len(line) < 2:
                return
            length, authorization = 0, "none"
            while True:
                header = self.rfile.readline().strip()
                if not header:
                    break
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"authorization":
                    authorization = value.decode("latin-1").strip()
            self.rfile.read(length)
            response, then = respond(line[1], authorization)
            self.connection.sendall(response)
            if then == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if then is not None:
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def get_request(self):
        connection, address = super().get_request()
        if options.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.certificate)
            connection = context.wrap_socket(connection, server_side=True)
        return connection, address

    def shutdown_request(self, request):
        # Nothing that a reset needs is sent first
        self.close_request(request)

    def handle_error(self, request, client_address):
        pass


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", help="PEM file with key and certificates: https")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
