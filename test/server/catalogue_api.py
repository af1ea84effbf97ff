#!/usr/bin/env python3
"""The services of the connectors that come with Lyftron, as far as their documentation shows them: /NAME/... answers as
the service NAME does, with made-up records of the documented shapes.

    catalogue_api.py --port N --data FOLDER        a file NAME.json for each service, see below

Who comes without the right credentials gets a 401; the first request to each service gets a 429 that asks for a wait of a second.

NAME.json: "auth" (a header or a parameter that must be there, "oauth" where a token is had), "time" (how times are written), and
"streams": "path" (a regular expression, whose group is a part such as a repository), "page" (how pages follow each other), "count" of the records,
"record" (their shape, with {n} for the number, {p} for the part, @n, @id, @time, @day), "wrap" (what stands around the records),
"since" (where a request says from when on, and what the service wants of that: a pattern, an end at most "days" later, "seconds_ago"),
"hide" (each so many-th record is left out of its page), "single" (more than a page
would be too many requests for other streams, or for the service's limit). Record N is of hour N of 2026.

POST /NAME/_more adds two records to the streams that have a since, _less takes them away; GET /NAME/_log gives what came so far, and forgets it: "requests",
"since" (the hours from which on records were asked for) and "waited" (seconds from the 429 to the next request).
"""
import argparse
import datetime
import http.server
import json
import os
import re
import threading
import time
import urllib.parse

PAGE = 2            # records of a page, where the client's wish is of no matter, nor has the stream a "size"
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def parse_time(text):
    text = str(text)
    if re.fullmatch(r"\d+", text):
        return datetime.datetime.fromtimestamp(int(text) / (1000 if len(text) > 11 else 1), datetime.timezone.utc)
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.strip().replace("Z", "+00:00"))
    time = datetime.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)


def look_up(document, path):
    for step in path:
        if isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return None
    return document


def put(document, path, value):
    for step in path[:-1]:
        if not isinstance(document.get(step), dict):
            document[step] = {}
        document = document[step]
    document[path[-1]] = value


class Refused(Exception):
    """What the real service answers with a 400."""


class Service:
    def __init__(self, name, definition):
        self.name = name
        self.auth = definition["auth"]
        self.time_format = definition["time"]
        self.streams = definition["streams"]
        self.more = 0
        self.limited = None     # when the 429 was given
        self.forget()
        self.pages = {}
        self.lock = threading.Lock()

    def forget(self):
        self.log = {"requests": [], "since": [], "waited": None}

    def moment(self, n):
        moment = EPOCH + datetime.timedelta(hours=n)
        return int(moment.timestamp()) if self.time_format == "%s" else moment.strftime(self.time_format)

    def fill(self, shape, n, part, day):
        if isinstance(shape, dict):
            return {key: self.fill(value, n, part, day) for key, value in shape.items()}
        if isinstance(shape, list):
            return [self.fill(value, n, part, day) for value in shape]
        if not isinstance(shape, str):
            return shape
        special = {"@n": n, "@id": 1000 * sum(map(ord, part)) + n, "@time": self.moment(n), "@day": day}
        return special[shape] if shape in special else shape.replace("{n}", str(n)).replace("{p}", part)

    def numbers(self, stream, request):
        """The numbers of the records that were asked for."""
        since = stream.get("since")
        numbers = range(1, stream["count"] + (self.more if since else 0) + 1)
        if not since:
            return list(numbers)
        text = look_up(request.body, since["body"]) if "body" in since else request.query.get(since["param"])
        if text and "pattern" in since:
            found = re.search(since["pattern"], text)
            if not found:
                raise Refused("a filter that there is not: " + text)
            text = found.group(1)
        until = look_up(request.body, since["until"]) if "until" in since else request.query.get(since.get("until_param"))
        first, last = text and parse_time(text), until and parse_time(until)
        if "days" in since and not (first and last and last - first <= datetime.timedelta(days=since["days"])):
            raise Refused("at most %d days: %s to %s" % (since["days"], text, until))
        if first and "seconds_ago" in since and (datetime.datetime.now(datetime.timezone.utc) - first).total_seconds() < since["seconds_ago"]:
            raise Refused("too recent: " + text)
        if first:
            self.log["since"].append((first - EPOCH).total_seconds() / 3600)
            if since.get("exclusive"):
                first += datetime.timedelta(microseconds=1)
        return [n for n in numbers if (not first or EPOCH + datetime.timedelta(hours=n) >= first) and
                (not last or EPOCH + datetime.timedelta(hours=n) <= last)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    services = {}

    def log_message(self, *arguments):
        pass

    def answer(self, status, document, headers=()):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = urllib.parse.urlsplit(self.path)
        _, name, path = url.path.split("/", 2)
        service = self.services[name]
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.body = json.loads(content) if content.startswith("{") else {}
        with service.lock:
            if path in ("_more", "_less"):
                service.more = 2 if path == "_more" else 0
                return self.answer(200, service.more)
            if path == "_log":
                log = service.log
                service.forget()
                return self.answer(200, log)
            oauth = service.auth.get("oauth")
            if oauth and "/" + path == oauth["path"]:
                right = dict(urllib.parse.parse_qsl(content)) == oauth["form"] and \
                    ("basic" not in oauth or self.headers.get("Authorization") == "Basic " + oauth["basic"])
                return self.answer(200 if right else 400, {"access_token": oauth["token"], "token_type": "Bearer"} if right else {"error": "invalid_client"})
            service.log["requests"].append(urllib.parse.unquote(self.path.split("/", 2)[2]) + (" " + content if content else ""))
            if not self.is_known(service):
                return self.answer(401, {"message": "who are you?"})
            if service.limited is None:
                service.limited = time.monotonic()
                return self.answer(429, {"message": "too many requests"}, [("Retry-After", "1")])
            if service.log["waited"] is None:
                service.log["waited"] = time.monotonic() - service.limited
            try:
                return self.find_stream(service, "/" + path)
            except Refused as refused:
                return self.answer(400, {"message": str(refused)})

    def is_known(self, service):
        if "query" in service.auth:
            name, value = service.auth["query"]
            return self.query.get(name) == value
        name, value = service.auth.get("header") or ("Host", self.headers["Host"])
        return self.headers.get(name) == value

    def find_stream(self, service, path):
        if path in service.pages:
            return self.answer_page(service, *service.pages[path])
        for name, stream in service.streams.items():
            found = re.fullmatch(stream["path"], path)
            if found and all(text in self.query.get(param, "") for param, text in stream.get("match", {}).items()):
                return self.answer_stream(service, name, stream, found)
        return self.answer(404, {"message": "no such thing: " + path})

    def answer_stream(self, service, name, stream, found):
        part = found.group(1) if found.groups() else self.query.get(stream.get("part"), "")
        day = stream.get("day", {})
        day = found.group(day["group"]) if "group" in day else self.query.get(day.get("param"))
        page = stream["page"]
        kind = page["kind"]
        start, size = 0, page.get("size", PAGE)
        if kind in ("token", "url", "link"):
            token = look_up(self.body, page["body"]) if "body" in page else self.query.get(page.get("param", "cursor"))
            if token:
                numbers, start, part = service.pages[token]
                return self.answer_page(service, name, stream, part, day, numbers, start, size)
        numbers = service.numbers(stream, self)
        if kind == "none":
            size = len(numbers)
        elif kind == "offset":
            start, size = int(self.query.get(page["params"][0], 0)), int(self.query[page["params"][1]])
        elif kind == "page":
            size = int(self.query[page["params"][1]])
            start = (int(self.query.get(page["params"][0], 1)) - 1) * size
        elif kind == "last_id":
            last = self.query.get(page["param"])
            ids = [service.fill(stream["record"], n, part, day)[page["id"]] for n in numbers]
            start = ids.index(last) + 1 if last else 0
        return self.answer_page(service, name, stream, part, day, numbers, start, size)

    def answer_page(self, service, name, stream, part, day, numbers, start, size):
        page = stream["page"]
        hide = stream.get("hide")
        records = [service.fill(stream["record"], n, part, day) for n in numbers[start:start + size] if not hide or n % hide]
        more = start + size < len(numbers)
        document = self.wrap(stream["wrap"], records, len(numbers))
        headers = []
        token = "next-%s-%s-%d" % (name, len(service.log["requests"]), start + size)
        if more and page["kind"] == "path":
            token = "/services/data/v60.0/query/" + token
            service.pages[token] = (name, stream, part, day, numbers, start + size, size)
            put(document, page["at"], token)
        elif more and page["kind"] in ("token", "url", "link"):
            service.pages[token] = (numbers, start + size, part)
            here = "http://%s%s" % (self.headers["Host"], self.path.split("?")[0])
            query = {} if page.get("alone") or page["kind"] == "url" else {k: v for k, v in self.query.items() if k != "cursor"}
            here += "?" + urllib.parse.urlencode({**query, "cursor": token})
            if page["kind"] == "link":
                headers.append(("Link", '<%s>; rel="next"' % here))
            else:
                put(document, page["at"], token if page["kind"] == "token" else here)
        if "done" in page:
            put(document, page["done"], not more)
        if "more" in page:
            put(document, page["more"], more)
        return self.answer(200, document, headers)

    def wrap(self, shape, records, total):
        if isinstance(shape, dict):
            return {key: self.wrap(value, records, total) for key, value in shape.items()}
        whole = {"@records": records, "@total": total, "@record": records[0] if records else {}, "@map": {str(i): r for i, r in enumerate(records)}}
        return whole.get(shape, shape) if isinstance(shape, str) else shape


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", required=True)
    arguments = parser.parse_args()
    for file in sorted(os.listdir(arguments.data)):
        with open(os.path.join(arguments.data, file), encoding="utf-8") as source:
            name = file.split(".")[0]
            Handler.services[name] = Service(name, json.load(source))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    print("ready", flush=True)
    server.serve_forever()


main()
