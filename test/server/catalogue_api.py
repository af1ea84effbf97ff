#!/usr/bin/env python3
"""The services of the connectors that come with Lyftron, as far as their documentation shows them: /NAME/... answers as
the service NAME does, with made-up records of the documented shapes, and refuses some of what it refuses.

    catalogue_api.py --port N --data FOLDER        a file NAME.json for each service, see below

Who comes without the right credentials gets a 401; the first request to each service that has them gets a 429, and is to wait a second.

NAME.json: "auth" (a header or a parameter that must be there, "oauth" where a token is had), "headers" (others that must be there),
"time" (how times are written), and "streams", each with

    path, match     a regular expression, whose group is a part such as a repository; what is in parameters
    part            the parameter that names the part, where the path does not
    page            how pages follow each other
    count, counts   so many records, in parts of these names so many
    hides           each of so many is taken out of its page
    record, wrap    their shape, with {n} for the number, {p} for the part, {day}, @n, @id, @first, @time, @day; what stands around them
    csv             lines before the records, which are lines then, too
    since           where a request says from when on, and until when; "strict": later than that
    days            the parameters of the first and the last day: the records are of each day in between
    accepts, window, older      what is refused if it is otherwise, see refusal()

The last record of a part is of the hour "count" of 2026, or of the greatest of "counts".

POST /NAME/_more adds two records to the streams that have a since and no days, _less takes them away; GET /NAME/_log gives the requests
so far, and forgets them. The other keys are the test's.
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
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def days_between(first, last):
    first, last = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    return [(first + datetime.timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


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


class Service:
    def __init__(self, name, definition):
        self.name = name
        self.auth = definition["auth"]
        self.headers = definition.get("headers", {})
        self.time_format = definition["time"]
        self.streams = definition["streams"]
        self.more = 0
        self.limited = False
        self.log = []
        self.tokens = 0
        self.pages = {}
        self.lock = threading.Lock()

    def time(self, n):
        moment = EPOCH + datetime.timedelta(hours=n)
        return int(moment.timestamp()) if self.time_format == "%s" else moment.strftime(self.time_format)

    def fill(self, shape, item, part):
        n, day = item
        if isinstance(shape, dict):
            return {key: self.fill(value, item, part) for key, value in shape.items()}
        if isinstance(shape, list):
            return [self.fill(value, item, part) for value in shape]
        if not isinstance(shape, str):
            return shape
        special = {"@n": n, "@id": 1000 * sum(map(ord, part)) + n, "@first": n == 1, "@time": self.time(n), "@day": day}
        return special[shape] if shape in special else shape.replace("{n}", str(n)).replace("{p}", part).replace("{day}", day or "")

    def items(self, stream, part, request):
        """Numbers and days of the records that were asked for."""
        counts = stream.get("counts", {})
        last = max([stream["count"], *counts.values()])
        first = last - counts.get(part, stream["count"]) + 1
        if "days" in stream:
            return [(n, day) for day in days_between(*(request.query[param] for param in stream["days"])) for n in range(first, last + 1)]
        since = stream.get("since")
        if not since:
            return [(n, None) for n in range(first, last + 1)]
        after = parse_time(request.value(since) or "2000-01-01")
        until = parse_time((request.value(since["until"]) if "until" in since else None) or "2100-01-01")
        times = {n: EPOCH + datetime.timedelta(hours=n) for n in range(first, last + self.more + 1)}
        return [(n, None) for n, moment in times.items() if after <= moment <= until and not (since.get("strict") and moment == after)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    services = {}

    def log_message(self, *arguments):
        pass

    def answer(self, status, document, headers=()):
        text = isinstance(document, str)
        content = (document if text else json.dumps(document)).encode()
        self.entry["status"] = status
        self.send_response(status)
        self.send_header("Content-Type", "text/csv" if text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def value(self, where):
        """What the request says in a parameter or in its body."""
        text = look_up(self.body, where["body"]) if "body" in where else self.query.get(where["param"])
        found = re.search(where["pattern"], text) if text and "pattern" in where else None
        return found.group(1) if found else text

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = urllib.parse.urlsplit(self.path)
        _, name, path = url.path.split("/", 2)
        service = self.services[name]
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.body = json.loads(content) if content.startswith("{") else {}
        self.entry = {"at": time.time(), "request": urllib.parse.unquote(self.path.split("/", 2)[2]) + (" " + content if content else "")}
        with service.lock:
            if path in ("_more", "_less"):
                service.more = 2 if path == "_more" else 0
                return self.answer(200, service.more)
            if path == "_log":
                log, service.log = service.log, []
                return self.answer(200, log)
            oauth = service.auth.get("oauth")
            if oauth and "/" + path == oauth["path"]:
                return self.answer_token(oauth, dict(urllib.parse.parse_qsl(content)))
            service.log.append(self.entry)
            if not self.is_known(service):
                return self.answer(401, {"message": "who are you?"})
            if not all(re.fullmatch(pattern, self.headers.get(name, "")) for name, pattern in service.headers.items()):
                return self.answer(400, {"message": "a header is missing"})
            if not service.limited:
                service.limited = True
                return self.answer(429, {"message": "too many requests"}, [("Retry-After", "1")])
            return self.find_stream(service, "/" + path)

    def answer_token(self, oauth, form):
        name, value = oauth.get("header") or ("Host", self.headers["Host"])
        if form != oauth["form"] or self.headers.get(name) != value:
            return self.answer(400, {"error": "invalid_client"})
        return self.answer(200, {"access_token": oauth["token"], "token_type": "Bearer", **oauth.get("more", {})})

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
                return self.answer_stream(service, name, found)
        return self.answer(404, {"message": "no such thing: " + path})

    def refusal(self, stream, token):
        """Why the service does not answer: a status and what it says."""
        if token and stream["page"].get("alone") and len(self.query) > 1:
            return 422, "When passing a cursor, do not include other query params."
        if token:
            return None
        for param, pattern in stream.get("accepts", {}).items():
            if not re.fullmatch(pattern, self.query.get(param, "")):
                return 400, "not accepted: %s %s" % (param, self.query.get(param))
        window = stream.get("window")
        if window:
            bounds = [self.query.get(window[name]) for name in ("from", "to")]
            if not all(bounds) or parse_time(bounds[1]) - parse_time(bounds[0]) > datetime.timedelta(days=window["days"]):
                return 400, "not a time of %d days at most: %s" % (window["days"], bounds)
        older = stream.get("older")
        if older and time.time() - int(self.query[older["param"]]) < older["seconds"]:
            return 422, "Too recent start_time. Use a start_time older than %d seconds" % older["seconds"]
        return None

    def answer_stream(self, service, name, found):
        stream = service.streams[name]
        page = stream["page"]
        kind = page["kind"]
        part = found.group(1) if found.groups() else self.query.get(stream.get("part"), "")
        token = None
        if kind in ("token", "url", "link"):
            token = look_up(self.body, page["body"]) if "body" in page else self.query.get(page.get("param", "cursor"))
        refused = self.refusal(stream, token)
        if refused:
            return self.answer(refused[0], {"message": refused[1]})
        if token:
            return self.answer_page(service, *service.pages[token])
        if "since" in stream:
            self.entry["since"] = self.value(stream["since"])
        items = service.items(stream, part, self)
        start, size = 0, page.get("size", PAGE)
        if kind == "none":
            size = len(items)
        elif kind == "offset":
            start, size = int(self.query.get(page["params"][0], 0)), int(self.query[page["params"][1]])
        elif kind == "page":
            size = int(self.query[page["params"][1]])
            start = (int(self.query.get(page["params"][0], 1)) - 1) * size
        elif kind == "last_id":
            last = self.query.get(page["param"])
            ids = [service.fill(stream["record"], item, part)[page["id"]] for item in items]
            start = ids.index(last) + 1 if last else 0
        return self.answer_page(service, name, part, items, start, size)

    def answer_page(self, service, name, part, items, start, size):
        stream = service.streams[name]
        self.entry.update(stream=name, part=part, start=start)
        hides = stream.get("hides")
        shown = [item for item in items[start:start + size] if not hides or item[0] % hides]
        records = [service.fill(stream["record"], item, part) for item in shown]
        if "csv" in stream:
            return self.answer(200, "\n".join(stream["csv"] + records) + "\n")
        document = self.wrap(stream["wrap"], records, len(items))
        headers = []
        rest = (name, part, items, start + size, size) if start + size < len(items) else None
        self.lead_on(service, stream["page"], rest, document, headers)
        return self.answer(200, document, headers)

    def lead_on(self, service, page, rest, document, headers):
        """The way to the next page, and whether there is one."""
        kind = page["kind"]
        if rest and kind in ("token", "url", "link", "path"):
            service.tokens += 1
            token = (page["prefix"] if kind == "path" else "") + "next-%s-%d" % (rest[0], service.tokens)
            service.pages[token] = rest
            query = {} if page.get("alone") or kind == "url" else {k: v for k, v in self.query.items() if k != "cursor"}
            here = "http://%s%s?%s" % (self.headers["Host"], self.path.split("?")[0], urllib.parse.urlencode({**query, "cursor": token}))
            if kind == "link":
                headers.append(("Link", '<%s>; rel="next"' % here))
            else:
                put(document, page["at"], here if kind == "url" else token)
        if "done" in page:
            put(document, page["done"], not rest)
        if "more" in page:
            put(document, page["more"], bool(rest))

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
