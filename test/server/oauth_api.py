#!/usr/bin/env python3
"""A web API that wants to know who asks: OAuth with refresh tokens that are really refused when they are used
twice, access tokens that expire, logins, signed tokens whose signatures are verified.

    oauth_api.py --port N --keys DIR      DIR holds public keys: rsa.pem, ec256.pem, ec384.pem, ec521.pem, k256.pem, ed.pem

Prints "ready" when it listens. Every token it makes has "-tok-" in it.

    POST /oauth/token[/HOW]     grants refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:jwt-bearer;
                                form or query. HOW: renamed, dated, plain (no expires_in), nested
    GET  /api/...               wants "Authorization: Bearer" with an access token that is still good
    POST /login                 {"username": "u", "password": "..."} gives a session token
    GET  /session/...           wants it: as bearer, as "Token ..." in Authorization or X-Session, or as parameter sid
                                A path that ends in "paged" has three pages, by parameter page
    GET  /whoami                200 if X-Session has a session token that is good, else 401
    GET  /jwt/...               wants a signed token, as bearer or parameter jwt; a record has what is in it

    POST /admin/set?NAME=VALUE  lifetime (s), hold (0 or 1: token answers wait, after the exchange), hold_api (the same
                                of /api), fail (so many token requests get fail_status), fail_status, silent (so many
                                token requests are exchanged, and then the connection is cut)
    POST /admin/chain?name=N    a new chain of refresh tokens that can be used once; answers with its first
    POST /admin/raw             the body is the answer of the token endpoint, once
    POST /admin/revoke          all access and session tokens are refused from now on
    GET  /admin/state           all of it: counts by what was asked, waiting, the last token request
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PASSWORD = "login-password-8642"
CLIENT = ("client-1", "client-secret-7531")
HMAC_KEY = "hmac-key-24680-hmac-key-24680-hmac-key"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DIGESTS = {"256": "sha256", "384": "sha384", "512": "sha512"}


class Api:
    def __init__(self, keys):
        self.changed = threading.Condition()
        self.keys = keys
        self.serial = 0
        self.chains = {}            # refresh token that can be used once -> name of its chain
        self.used = {}              # one that was used -> name of its chain
        self.broken = set()         # chains whose token was used twice
        self.access = {}            # access token -> good until
        self.sessions = set()
        self.set = {"lifetime": 3600, "hold": 0, "hold_api": 0, "fail": 0, "fail_status": 503, "silent": 0}
        self.counts = {}
        self.waiting = 0
        self.raw = None
        self.last = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def make(self, kind):
        self.serial += 1
        return "%s-tok-%d-%s" % (kind, self.serial, hashlib.sha256(str(self.serial).encode()).hexdigest()[:16])

    def wait(self, what):
        self.waiting += 1
        self.changed.notify_all()
        self.changed.wait_for(lambda: not self.set[what])
        self.waiting -= 1


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_of(raw):
    """An ECDSA signature in DER, from its two numbers."""
    def number(b):
        b = b.lstrip(b"\0") or b"\0"
        b = (b"\0" if b[0] & 0x80 else b"") + b
        return b"\x02" + bytes([len(b)]) + b
    half = len(raw) // 2
    both = number(raw[:half]) + number(raw[half:])
    return b"\x30" + (bytes([len(both)]) if len(both) < 128 else b"\x81" + bytes([len(both)])) + both


def openssl_verifies(args, signed, signature):
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("signed", signed), ("signature", signature)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        full = [a.replace("@", folder + "/") for a in args]
        return subprocess.run(["openssl"] + full, capture_output=True).returncode == 0


def verify(keys, token):
    """The header and claims of a JSON Web Token; raises if its signature is wrong."""
    header_text, claims_text, signature_text = token.split(".")
    header, claims = json.loads(unpad(header_text)), json.loads(unpad(claims_text))
    signed, signature = (header_text + "." + claims_text).encode(), unpad(signature_text)
    alg = header["alg"]
    digest = DIGESTS.get(alg[2:5])
    if alg.startswith("HS"):
        right = any(hmac.compare_digest(hmac.new(k, signed, digest).digest(), signature)
                    for k in (HMAC_KEY.encode(), base64.b64encode(HMAC_KEY.encode())))
    elif alg == "EdDSA":
        right = openssl_verifies(["pkeyutl", "-verify", "-pubin", "-inkey", keys + "/ed.pem", "-rawin", "-in", "@signed",
                                  "-sigfile", "@signature"], signed, signature)
    else:
        key = {"ES256": "ec256", "ES384": "ec384", "ES512": "ec521", "ES256K": "k256"}.get(alg, "rsa")
        if alg.startswith("ES"):
            size = {"ES256": 32, "ES384": 48, "ES512": 66, "ES256K": 32}[alg]
            if len(signature) != 2 * size:
                raise ValueError("the signature has %d bytes" % len(signature))
            signature = der_of(signature)
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if alg.startswith("PS") else []
        right = openssl_verifies(["dgst", "-" + digest, "-verify", "%s/%s.pem" % (keys, key)] + pss +
                                 ["-signature", "@signature", "@signed"], signed, signature)
    if not right:
        raise ValueError("the signature is wrong")
    if not claims["nbf"] <= time.time() + 5 or not claims["exp"] > time.time():
        raise ValueError("not at this time")
    return header, claims


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, body, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def cut(self):
        self.close_connection = True
        self.connection.shutdown(2)

    # -- the token endpoint --------------------------------------------------

    def refuse(self, error, description, status=400):
        return {"error": error, "error_description": description}, status

    def exchange(self, api, args, how):
        names = {"grant": "grantType", "client": "clientId", "secret": "clientSecret", "refresh": "token"} if how == "renamed" else \
            {"grant": "grant_type", "client": "client_id", "secret": "client_secret", "refresh": "refresh_token"}
        grant = args.get(names["grant"])
        basic = "Basic " + base64.b64encode(("%s:%s" % CLIENT).encode()).decode()
        in_header = self.headers["Authorization"] == basic
        if grant == ASSERTION:
            try:
                api.last["claims"] = verify(api.keys, args["assertion"])[1]
            except (ValueError, KeyError) as e:
                return self.refuse("invalid_grant", "assertion %s: %s" % (args.get("assertion"), e))
        elif in_header and names["client"] in args:
            return self.refuse("invalid_request", "the client is given twice")
        elif not in_header and (args.get(names["client"]), args.get(names["secret"])) != CLIENT:
            return self.refuse("invalid_client", "unknown client with secret %s" % args.get(names["secret"]), 401)
        answer = {"access_token": api.make("access"), "token_type": "Bearer"}
        if grant == "refresh_token":
            given = args.get(names["refresh"])
            if given in api.used or api.chains.get(given) in api.broken:
                api.broken.add(api.used.get(given) or api.chains.get(given))
                return self.refuse("invalid_grant", "refresh token %s was used before" % given)
            if given in api.chains:
                name = api.chains.pop(given)
                api.used[given] = name
                answer["refresh_token"] = api.make("refresh")
                api.chains[answer["refresh_token"]] = name
                api.count("exchanged " + name)
            elif given != "again-refresh-1122":
                return self.refuse("invalid_grant", "refresh token %s is not known" % given)
        elif grant not in ("client_credentials", ASSERTION):
            return self.refuse("unsupported_grant_type", "grant %s" % grant)
        life = int(api.set["lifetime"])
        api.access[answer["access_token"]] = time.time() + life
        if how == "dated":
            answer["expires_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + life))
        elif how != "plain":
            answer["expires_in"] = life
        if how == "renamed":
            return {"result": [{"accessToken": answer["access_token"], "validFor": str(answer["expires_in"])}]}, 200
        return answer, 200

    def token(self, api, how, query, body):
        args = dict(parse_qsl(body.decode(), keep_blank_values=True)) or dict(query)
        with api.changed:
            api.count("token")
            api.last = {"query": query, "body": parse_qsl(body.decode(), keep_blank_values=True),
                        "authorization": self.headers["Authorization"], "type": self.headers["Content-Type"],
                        "length": self.headers["Content-Length"], "extra": self.headers["X-Extra"]}
            if int(api.set["fail"]) > 0:
                api.set["fail"] = int(api.set["fail"]) - 1
                return self.answer({"error": "server_error"}, int(api.set["fail_status"]))
            if api.raw is not None:
                raw, api.raw = api.raw, None
                return self.answer(raw)
            body, status = self.exchange(api, args, how)
            if int(api.set["silent"]) > 0:
                api.set["silent"] = int(api.set["silent"]) - 1
                return self.cut()
            api.wait("hold")
        self.answer(body, status)

    # -- what is behind it ---------------------------------------------------

    def bearer(self):
        kind, _, token = (self.headers["Authorization"] or "").partition(" ")
        return token if kind == "Bearer" else None

    def api(self, api, path):
        token = self.bearer()
        with api.changed:
            api.count(path)
            api.wait("hold_api")
            good = api.access.get(token, 0) > time.time()
            if not good:
                api.count("refused " + path)
        if not good:
            return self.answer({"message": "access token %s is not valid" % token}, 401)
        self.answer({"items": [{"id": i, "serial": int(token.split("-")[2])} for i in (1, 2)]})

    def items(self, path, query, item):
        over = path.endswith("paged") and int(query.get("page", 1)) > 3
        self.answer({"items": [] if over else [item]})

    def session(self, api, path, query):
        given = (self.headers["X-Session"] or self.headers["Authorization"] or query.get("sid", "")).split(" ")
        with api.changed:
            api.count(path)
            good = given[-1] in api.sessions
        if not good:
            return self.answer({"message": "session %s is over" % given[-1]}, 401)
        self.items(path, query, {"id": 1, "how": " ".join(given[:-1])})

    def log_in(self, api, body):
        given = json.loads(body)
        with api.changed:
            api.count("login")
            if (given.get("username"), given.get("password")) != ("u", PASSWORD):
                return self.answer({"message": "no login with %s" % given.get("password")}, 403)
            token = api.make("session")
            api.sessions.add(token)
        self.answer({"data": {"sessions": [{"key": token}]}, "id": token})

    def jwt(self, api, path, query):
        with api.changed:
            api.count(path)
        token = query.get("jwt") or (self.headers["Authorization"] or "").split(" ")[-1]
        try:
            header, claims = verify(api.keys, token)
        except (ValueError, KeyError) as e:
            return self.answer({"message": "%s in %s" % (e, token)}, 401)
        scheme = (self.headers["Authorization"] or "").split(" ")[0]
        self.items(path, query, {"id": 1, "header": header, "claims": claims, "scheme": scheme})

    # -- what tests ask ------------------------------------------------------

    def admin(self, api, path, query, body):
        with api.changed:
            if path == "/admin/raw":
                api.raw = body
            if path == "/admin/set":
                api.set.update({k: int(v) for k, v in query.items()})
            elif path == "/admin/revoke":
                api.access.clear()
                api.sessions.clear()
            elif path == "/admin/chain":
                token = api.make("refresh")
                api.chains[token] = query["name"]
                api.changed.notify_all()
                return self.answer(token)
            elif path == "/admin/state":
                return self.answer({"counts": api.counts, "waiting": api.waiting, "last": api.last, "broken": sorted(api.broken)})
            api.changed.notify_all()
        self.answer({})

    def handle_any(self):
        url = urlsplit(self.path)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        query = dict(pairs)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api = self.server.api
        if url.path.startswith("/oauth/token"):
            return self.token(api, url.path[len("/oauth/token/"):], pairs, body)
        if url.path.startswith("/api/"):
            return self.api(api, url.path)
        if url.path.startswith("/session/"):
            return self.session(api, url.path, query)
        if url.path == "/login":
            return self.log_in(api, body)
        if url.path == "/whoami":
            with api.changed:
                api.count("whoami")
            return self.answer({}, 200 if self.headers["X-Session"] in api.sessions else 401)
        if url.path.startswith("/jwt/"):
            return self.jwt(api, url.path, query)
        self.admin(api, url.path, query, body)

    do_GET = do_POST = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", required=True)
    args = parser.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.api = Api(args.keys)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
