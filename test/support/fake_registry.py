#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small registry of the tests' own that imitates GHCR: an anonymous token endpoint, and blobs
behind a 307 to a signed address on another host, which must not be told who we are.

    fake_registry.py LAYOUT LOG [FAULT | password | identity]

What is pushed stays in memory; uploads go to the other host too. With $REGISTRY_TLS, a file with
certificate and key, the registry has TLS; the other host never has.

serves the OCI layout LAYOUT as every repository, on free ports of the loopback device. The first
line of LOG is the registry's address, the others are the requests. FAULT is what goes wrong:
see the uses of `fault` below. With `password` the token is only for me:secret, with `identity` the
token service gives a token to be kept instead of the password, and then takes that alone.
"""
import base64
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

layout, log_path = sys.argv[1], sys.argv[2]
fault = sys.argv[3] if len(sys.argv) > 3 else ""
log = open(log_path, "w", buffering=1)
TOKEN, IDENTITY = "t0k3n", "1d/3nt+ty"
seen = {}
pushed = {}  # digest: bytes
uploads = {}  # number: bytearray


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
        if self.command != "HEAD":
            self.wfile.write(body)

    def is_busy(self):
        count = seen[self.path] = seen.get(self.path, 0) + 1
        if fault == "busy" and count <= 2:
            self.answer(503 if count == 1 else 429, b"", [("Retry-After", "0")])
            return True
        return False


class Registry(Handler):
    def token(self):
        me = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode()
        logs_in = "offline_token=true" in self.path
        if fault == "password" and not me or fault == "identity" and not (me and logs_in):
            return self.answer(401, b"{}")
        answer = {"token": TOKEN}
        if fault == "identity":
            answer["refresh_token"] = IDENTITY
        return self.answer(200, json.dumps(answer).encode())

    def ask(self):
        scheme = "https" if os.environ.get("REGISTRY_TLS") else "http"
        realm = "%s://%s/token" % (scheme, address(registry))
        self.answer(401, b"{}", [(
            "WWW-Authenticate", 'Bearer realm="%s",service="fake",scope="repository:x:pull"' % realm)])

    def is_known(self):
        return self.headers.get("Authorization") == "Bearer " + TOKEN

    def do_HEAD(self):
        log.write("registry HEAD %s\n" % self.path)
        if not self.is_known():
            return self.ask()
        body = pushed.get(self.path.split("/")[-1])
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        log.write("registry PUT %s %s\n" % (self.path, self.headers["Content-Type"]))
        if not self.is_known():
            return self.ask()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        pushed[digest] = body
        return self.answer(201, b"", [("Docker-Content-Digest", digest)])

    def begin_upload(self):
        log.write("registry POST %s\n" % self.path)
        if not self.is_known():
            return self.ask()
        if "mount=" in self.path and fault == "mounts":
            return self.answer(201)
        if fault == "denies":
            return self.answer(403, b'{"errors":[{"code":"DENIED","message":"not yours"}]}')
        number = len(uploads)
        uploads[number] = bytearray()
        return self.answer(202, b"", [("Location", "http://%s/upload/%d?signature=s3cret" % (address(storage), number))])

    def do_POST(self):
        if "/blobs/uploads/" in self.path:
            return self.begin_upload()
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        log.write("registry POST %s %s\n" % (self.path, form.get("grant_type", [""])[0]))
        if self.path != "/token" or fault != "identity" or form.get("refresh_token") != [IDENTITY]:
            return self.answer(401, b"{}")
        return self.answer(200, json.dumps({"access_token": TOKEN}).encode())

    def do_GET(self):
        log.write("registry %s\n" % self.path)
        if self.path.startswith("/token?"):
            return self.token()
        if fault == "loop401" or not self.is_known():
            return self.ask()
        if self.is_busy():
            return None
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        kind, selector = self.path.split("?")[0].split("/")[-2:]
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
    def leaks(self):
        if self.headers.get("Authorization"):
            log.write("LEAK\n")
        return self.headers.get("Authorization")

    def upload(self):
        return int(self.path.split("?")[0].split("/")[-1])

    def go_on(self, status):
        data = uploads[self.upload()]
        return self.answer(status, b"", [
            ("Location", self.path), ("Range", "0-%d" % max(len(data) - 1, 0))])

    def do_PATCH(self):
        size, data = int(self.headers["Content-Length"]), uploads[self.upload()]
        log.write("storage PATCH %s%s\n" % (self.headers["Content-Range"], "LEAK" if self.leaks() else ""))
        if fault == "cuts-upload" and not seen.get("cut") and len(data) > 0:
            seen["cut"] = True
            data += self.rfile.read(size // 2)
            self.close_connection = True
            return None
        if int(self.headers["Content-Range"].split("-")[0]) != len(data):
            return self.answer(416)
        data += self.rfile.read(size)
        return self.go_on(202)

    def do_PUT(self):
        data = uploads[self.upload()]
        data += self.rfile.read(int(self.headers["Content-Length"]))
        log.write("storage PUT%s\n" % ("LEAK" if self.leaks() else ""))
        digest = urllib.parse.parse_qs(self.path.split("?")[1])["digest"][0]
        if digest != "sha256:" + hashlib.sha256(data).hexdigest():
            return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"other content"}]}')
        pushed[digest] = bytes(data)
        return self.answer(201)

    def do_GET(self):
        log.write("storage %s%s\n" % (self.path.split("?")[0], " range" if self.headers.get("Range") else ""))
        if self.path.startswith("/upload/"):
            return self.go_on(204)
        if self.headers.get("x-team"):
            log.write("x-team\n")
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
        if fault == "shorter":
            rest = rest[:max(len(body) - 10 - start, 0)]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if fault == "hangs-up":
            self.wfile.write(rest[:1])
            self.close_connection = True
            return
        while fault == "trickles":
            self.wfile.write(b"x")
            time.sleep(0.2)
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
if os.environ.get("REGISTRY_TLS"):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["REGISTRY_TLS"])
    registry.socket = tls.wrap_socket(registry.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=storage.serve_forever, daemon=True).start()
log.write(address(registry) + "\n")
registry.serve_forever()
