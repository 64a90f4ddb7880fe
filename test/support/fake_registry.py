#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small registry of the tests' own that imitates GHCR: an anonymous token endpoint, and blobs
behind a 307 to a signed address on another host, which must not be told who we are.

    fake_registry.py LAYOUT LOG [FAULT]

serves the OCI layout LAYOUT as every repository, on free ports of the loopback device. The first
line of LOG is the registry's address, the others are the requests. FAULT is what goes wrong:
see the uses of `fault` below.
"""
import http.server
import json
import os
import sys
import threading

layout, log_path = sys.argv[1], sys.argv[2]
fault = sys.argv[3] if len(sys.argv) > 3 else ""
log = open(log_path, "w", buffering=1)
TOKEN = "t0k3n"
seen = {}


def blob(hexdigits):
    try:
        with open(os.path.join(layout, "blobs/sha256", os.path.basename(hexdigits)), "rb") as file:
            return file.read()
    except OSError:
        return None


def manifest(selector):
    with open(os.path.join(layout, "index.json")) as file:
        top = json.load(file)["manifests"][0]
    if selector.startswith("sha256:"):
        return blob(selector[7:])
    return blob(top["digest"][7:])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_busy(self):
        count = seen[self.path] = seen.get(self.path, 0) + 1
        if fault == "busy" and count <= 2:
            self.answer(503 if count == 1 else 429, b"", [("Retry-After", "0")])
            return True
        return False


class Registry(Handler):
    def do_GET(self):
        log.write("registry %s\n" % self.path)
        if self.path.startswith("/token?"):
            return self.answer(200, json.dumps({"token": TOKEN}).encode())
        if fault == "loop401" or self.headers.get("Authorization") != "Bearer " + TOKEN:
            realm = "http://%s/token" % address(registry)
            return self.answer(401, b"{}", [(
                "WWW-Authenticate", 'Bearer realm="%s",service="fake",scope="repository:x:pull"' % realm)])
        if self.is_busy():
            return None
        kind, selector = self.path.split("/")[-2:]
        if kind == "manifests":
            body = b"<html>welcome</html>" if fault == "html" else manifest(selector)
            if body is None:
                return self.answer(404)
            kind = json.loads(body).get("mediaType", "") if fault != "html" else "text/html"
            return self.answer(200, body, [("Content-Type", kind)])
        target = "http://%s/%s?signature=s3cret" % (address(storage), selector[7:])
        if fault == "to-file":
            target = "file:///etc/passwd"
        if fault == "to-ftp":
            target = "ftp://localhost/x"
        if fault == "for-ever":
            target = self.path
        return self.answer(307, b"", [("Location", target)])


class Storage(Handler):
    def do_GET(self):
        log.write("storage %s%s\n" % (self.path.split("?")[0], " range" if self.headers.get("Range") else ""))
        if self.headers.get("Authorization"):
            log.write("LEAK\n")
            return self.answer(400, b"two ways to say who you are")
        body = blob(self.path.split("?")[0])
        if body is None:
            return self.answer(404)
        if fault == "other-content" and len(body) > 10000:
            body = body[:5000] + bytes([body[5000] ^ 1]) + body[5001:]
        if fault == "longer":
            body += b"x"
        start, status, headers = 0, 200, []
        if self.headers.get("Range") and fault != "no-range":
            start = int(self.headers["Range"][len("bytes="):-1])
            status, headers = 206, [("Content-Range", "bytes %d-%d/%d" % (start, len(body) - 1, len(body)))]
        rest = body[start:]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if fault == "closing" and len(rest) > 200000:
            self.wfile.write(rest[:len(rest) // 2])
            self.close_connection = True
            return
        if fault == "no-range" and seen.setdefault(self.path, 0) == 0 and len(rest) > 10000:
            seen[self.path] = 1
            self.wfile.write(rest[:len(rest) // 2])
            self.close_connection = True
            return
        self.wfile.write(rest)


def address(server):
    return "127.0.0.1:%d" % server.server_port


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news


registry, storage = Server(("127.0.0.1", 0), Registry), Server(("127.0.0.1", 0), Storage)
threading.Thread(target=storage.serve_forever, daemon=True).start()
log.write(address(registry) + "\n")
registry.serve_forever()
