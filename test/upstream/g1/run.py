#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# What upstream's host of generation G1 (hyperlight-unikraft 0.4.0) answered to a guest that runs
# scripts (probe.c), and what ours answers. Each file of answers/ is one recording: the command line,
# the script, both outputs, the exit status, and what was looked at afterwards. Ours must be the
# same, but for the differences that differences.py names, with their reasons: rules for what is
# told otherwise everywhere, and ours/ for cases that end otherwise.
#
#   test/upstream/g1/run.py hyperlight-unikraft [CASE…]     a program, or a link, of that name
#
# Cases of the network need addresses of their own: as root they run in a namespace that has them,
# elsewhere they are skipped and counted. --write-ours CASE… keeps what ours says now as expected.
import contextlib
import difflib
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import differences  # noqa: E402
import snapshots  # noqa: E402

ADDRESSES = ["10.99.0.1", "10.99.0.2", "10.99.0.3", "10.99.0.53"]
SECONDS = 100
SPINS = {"fault-spin": 3}

# What is done to the world before a case, which is made anew for each.
BEFORE = {
    "cli-kernel-empty": ": > zero",
    "cli-kernel-text": "echo text > txt",
    "cli-kernel-bigendian": "cp g1probe bad; printf '\\002' | dd of=bad bs=1 seek=5 conv=notrunc status=none",
    "cli-kernel-truncated": "head -c 4000 g1probe > cut",
    "cli-initrd-empty": ": > zero",
    "cli-initrd-junk": "echo junk > junk",
    "mount-colon-in-host": "mkdir -p c:/x",
    "fs-list": "rm -rf w/*; mkdir w/d w/error; echo 1 > w/b; ln -s b w/l; ln -s none w/n; mkfifo w/p; "
               "touch 'w/sp ace' 'w/q\"uote'",
    "fs-mounts": "mkdir w/o; echo shadowed > w/o/secret",
}
ENVIRONMENT = {"fs-dispatch-debug": {"HL_DISPATCH_DEBUG": "1"}}
SCRIPTS = {"limit-sockets": 'J {"name":"net_socket"}\n' * 1026}

WORLD = """
rm -rf w out two c:; mkdir -p w/sub/deep w/full out two
echo hello > w/f.txt; echo secret > out/secret; printf '\\377\\376x' > w/bin.dat; : > w/empty
echo x > w/full/x; echo y > w/sub/y; echo z > two/z
ln -s f.txt w/link; ln -s ../out/secret w/esc; ln -s "$PWD/out/secret" w/abs; ln -s nowhere w/dangling
ln -s ../out/new w/dangesc; ln -s loop w/loop; ln -s ../out w/outdir; ln -s sub w/dirlink
truncate -s 16777217 w/big
touch -d @2000000000 w/f.txt w/sub w/empty; touch -m -d @1000000000 w/f.txt w/sub w/empty
"""


# ---- recordings


class Recording:
    def __init__(self, text):
        head, *parts = re.split(r"(?m)^--- (script|stdout|stderr|exit \d+|after: .*)\n", text)
        self.command = shlex.split(head[2:])
        self.script, self.out, self.err, self.after = "", "", "", None
        self.status, self.look = 0, None
        for title, body in zip(parts[::2], parts[1::2]):
            if title == "script":
                self.script = body
            elif title == "stdout":
                self.out = body
            elif title == "stderr":
                self.err = body
            elif title.startswith("exit "):
                self.status = int(title[5:])
            else:
                self.look, self.after = title[7:], body

    def text(self):
        after = "" if self.look is None else f"--- after: {self.look}\n{self.after}"
        return f"--- stdout\n{self.out}--- stderr\n{self.err}--- exit {self.status}\n{after}"


def with_newline(text):
    return text if not text or text.endswith("\n") else text + "\\c\n"


def normal(text, world):
    """What differs from run to run, and from one file system to another."""
    text = text.replace(str(world), "DIR")
    text = re.sub(r"\d+\.\d+ms", "_ms", text)
    text = re.sub(r'"port":[3-6]\d{4}', '"port":_', text)
    text = re.sub(r" rip 0x[0-9a-f]+ cr2 0x[0-9a-f]+", " rip _ cr2 _", text)
    text = re.sub(r"\{7100, 7000\}", "{7000, 7100}", text)
    return re.sub(r'(?m)^< (\{"result":\{"entries":.*)$', sorted_entries, text)


def sorted_entries(match):
    reply = json.loads(match.group(1))
    reply["result"]["entries"].sort(key=lambda entry: entry["name"])
    return "< " + json.dumps(reply, sort_keys=True, separators=(",", ":"))


# ---- running


def newc_entry(name, mode, data):
    """cpio(5), without what other archivers pad the end with."""
    fields = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = "070701" + "".join(f"{field:08x}" for field in fields)
    pad = lambda text: text + bytes(-len(text) % 4)
    return pad(head.encode() + name.encode() + b"\0") + pad(data)


class World:
    def __init__(self, program, probe, directory):
        self.program, self.directory = program, directory
        shutil.copy(probe, directory / "g1probe")

    def shell(self, script, **options):
        return subprocess.run(["sh", "-c", script], cwd=self.directory, **options)

    def archive(self, script):
        data = newc_entry("script", 0o100644, script.encode()) + newc_entry("TRAILER!!!", 0, b"")
        (self.directory / "c.cpio").write_bytes(data)

    def run(self, name, recorded):
        self.shell(WORLD, check=True)
        self.shell(BEFORE.get(name, ":"), check=True)
        script = SCRIPTS.get(name, recorded.script)
        if script:
            self.archive(script)
        limit = SPINS.get(name, SECONDS)
        result = subprocess.run(
            ["timeout", str(limit), self.program, *recorded.command[1:]], cwd=self.directory, stdin=subprocess.DEVNULL,
            capture_output=True, env={**os.environ, **ENVIRONMENT.get(name, {})}, check=False)
        ours = Recording("$ x\n")
        ours.out = with_newline(result.stdout.decode(errors="replace"))
        ours.err = with_newline(result.stderr.decode(errors="replace"))
        ours.status = result.returncode
        if recorded.look is not None:
            look = self.shell(recorded.look, capture_output=True, check=False)
            ours.look = recorded.look
            ours.after = (look.stdout + look.stderr).decode(errors="replace")
        return ours


def counted_sockets(ours):
    """The answers to a thousand calls, as the recording has them."""
    replies = [line for line in ours.err.splitlines() if line.startswith("<")]
    others = [line for line in replies if '"fd"' not in line]
    ours.err = f'(replies with an fd: {len(replies) - len(others)}; others, counted:)\n'
    for line in sorted(set(others)):
        ours.err += f"{others.count(line):7} {line}\n"
    return ours


def expected(name, recorded):
    if name in differences.CASES:
        kept = HERE / "ours" / f"{name}.txt"
        return kept.read_text() if kept.exists() else "nothing: see --write-ours\n"
    for rule in differences.RULES:
        changed = rule.apply(name, recorded)
        rule.used = rule.used or changed
    return recorded.text()


def check(name, world):
    recorded = Recording((HERE / "answers" / f"{name}.txt").read_text())
    ours = world.run(name, recorded)
    if name == "limit-sockets":
        ours = counted_sockets(ours)
    ours = normal(ours.text(), world.directory)
    recorded.out, recorded.err = (normal(text, world.directory) for text in (recorded.out, recorded.err))
    return recorded, differences.without_additions(ours)


# ---- the network's peers


def echo_stream(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo_one, args=(connection,), daemon=True).start()


def echo_one(connection):
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(data)


def serve_datagrams(sock, answer):
    while True:
        data, peer = sock.recvfrom(4096)
        sock.sendto(answer(data), peer)


def dns_answer(query):
    """One address for svc.* and other.*, nothing for other names."""
    known = query[13:16] == b"svc" or query[13:18] == b"other"
    if not known:
        return query[:2] + b"\x84\x03" + query[4:]
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton("10.99.0.2")
    return query[:2] + b"\x84\x00" + query[4:6] + b"\x00\x01" + query[8:] + record


def bound(kind, address, port):
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(16)
    return sock


def start_peers():
    for address, port in (("10.99.0.1", 7000), ("127.0.0.1", 7002)):
        sock = bound(socket.SOCK_STREAM, address, port)
        threading.Thread(target=echo_stream, args=(sock,), daemon=True).start()
    for address, port, answer in (("10.99.0.1", 7001, bytes), ("10.99.0.2", 7001, bytes),
                                  ("10.99.0.53", 53, dns_answer)):
        sock = bound(socket.SOCK_DGRAM, address, port)
        threading.Thread(target=serve_datagrams, args=(sock, answer), daemon=True).start()


def dial(directory):
    """Says "ping" to the guest's own port, and writes down what comes back."""
    for _ in range(600):
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", 7100), 5) as peer:
            peer.sendall(b"ping\n")
            got = peer.recv(100).decode()
            (directory / "got").write_text(f"peer got: {got}\n")
            return
        time.sleep(0.05)


def make_network():
    """In the namespace: the addresses, and the host's files that name them."""
    run = lambda *words: subprocess.run(words, check=True)
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES:
        run("ip", "address", "add", address + "/32", "dev", "lo")
    etc = pathlib.Path(tempfile.mkdtemp(prefix="runhl-g1-etc."))
    for name, text in (("hosts", "127.0.0.1 localhost\n10.99.0.3 svc.test\n"),
                       ("resolv.conf", "nameserver 10.99.0.53\n")):
        (etc / name).write_text(text)
        run("mount", "--bind", str(etc / name), os.path.realpath(f"/etc/{name}"))
    start_peers()
    return etc


# ---- what has no recording


def tool(directory, name, script):
    (directory / name).write_text("#!/bin/sh\n" + script + "\n")
    (directory / name).chmod(0o755)
    return ["--tool", f"{name}={directory / name}"]


def run_script(world, script, *options, program=None):
    world.archive(script)
    command = [*(program or [world.program]), "g1probe", "-q", "-m", "16Mi", "--initrd", "c.cpio", *options]
    result = subprocess.run(command, cwd=world.directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                            check=False)
    return result.returncode, result.stderr.decode(errors="replace")


def own_exit_status(world):
    """The program's status is the command's, and the last run's."""
    status, _ = run_script(world, 'J {"name":"__hl_exit","args":{"code":7}}\n')
    repeated, _ = run_script(world, 'J {"name":"__hl_exit","args":{"code":300}}\n', "--repeat", "1")
    return status == 7 and repeated == 300 & 0xff


def own_tools(world):
    """Programs of the host's: what they print, what they are not given, how they fail."""
    options = [*tool(world.directory, "greet", 'read -r args; echo "{\\"result\\":[$args,\\"$RUNHL_TOOL\\"]}"'),
               *tool(world.directory, "fails", "exit 3"), *tool(world.directory, "talks", "echo hello"),
               *tool(world.directory, "fds", "set -- /proc/self/fd/*; echo $#")]
    script = "".join(f'J {{"name":"{name}","args":{{"b":1,"a":2}}}}\n' for name in ("greet", "fails", "talks", "fds", "other"))
    status, said = run_script(world, script, "--repeat", "1", *options)
    replies = [line[2:] for line in said.splitlines() if line.startswith("<")]
    once = ['{"result":[{"a":2,"b":1},"greet"]}', '{"error":"fails: exit status 3"}',
            '{"error":"talks: it prints no JSON: expected value at line 1 column 1"}', None, '{"error":"unknown tool: other"}']
    same = all(want in (None, got) for want, got in zip(once + once, replies, strict=True))
    return status == 0 and same


def own_command_line(world):
    """Under our own name each argument arrives as it was given."""
    ours = os.path.realpath(world.program)
    status, said = run_script(world, "I\n", "--abi", "g1", "--", "a", "b c", 'd"e', program=[ours])
    return status == 0 and 'cmdline [a "b c" "d\\"e"]' in said


OWN = {"own-exit-status": own_exit_status, "own-tools": own_tools, "own-command-line": own_command_line}


# ---- the cases


def report(name, recorded, ours):
    want = expected(name, recorded)
    if name in differences.CASES and ours == recorded.text():
        print(f"FAILED: g1: {name}: a difference is named that is none any more")
        return False
    if ours == want:
        return True
    print(f"FAILED: g1: {name}:")
    show_difference(want, ours)
    return False


def show_difference(want, ours):
    lines = difflib.unified_diff(want.splitlines(), ours.splitlines(), "expected", "ours", lineterm="")
    for line in list(lines)[:40]:
        print("  " + line[:300])


def run_cases(program, names, write):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    has_network = os.environ.get("RUNHL_G1_NETWORK") == "yes"
    with tempfile.TemporaryDirectory(prefix="runhl-g1.") as directory, contextlib.ExitStack() as stack:
        if has_network:
            etc = make_network()
            stack.callback(shutil.rmtree, etc, ignore_errors=True)
        directory = pathlib.Path(directory).resolve()
        probe = directory / "probe"
        subprocess.run([HERE / "build_probe.sh", probe], check=True)
        world = World(program, probe, directory)
        for name in names:
            if (name.startswith("net-") or name == "limit-sockets") and not has_network:
                print(f"SKIPPED: upstream: g1: {name}: no namespace for its addresses")
                counts["skipped"] += 1
                continue
            if name in OWN:
                good = OWN[name](world)
                counts["passed" if good else "failed"] += 1
                if not good:
                    print(f"FAILED: g1: {name}: {OWN[name].__doc__}")
                continue
            if name in snapshots.CASES:
                world.shell(WORLD, check=True)
                good = snapshots.check(name, world, os.path.realpath(program), SECONDS)
                if isinstance(good, str):
                    print(f"SKIPPED: upstream: g1: {name}: {good}")
                counts["skipped" if isinstance(good, str) else "passed" if good else "failed"] += 1
                continue
            if name == "net-listen":
                threading.Thread(target=dial, args=(directory,), daemon=True).start()
            recorded, ours = check(name, world)
            if write:
                (HERE / "ours").mkdir(exist_ok=True)
                (HERE / "ours" / f"{name}.txt").write_text(ours)
                continue
            counts["passed" if report(name, recorded, ours) else "failed"] += 1
    if len(names) > 100 and not counts["failed"] and has_network:
        for rule in differences.RULES:
            if not rule.used:
                print(f"FAILED: g1: the difference {rule.name} is named, and there is none")
                counts["failed"] += 1
    return counts


def main(args):
    write = "--write-ours" in args
    args = [arg for arg in args if arg != "--write-ours"]
    program = os.path.abspath(args[0])
    names = args[1:] or sorted([*OWN, *snapshots.CASES, *(path.stem for path in (HERE / "answers").glob("*.txt"))])
    if os.geteuid() == 0 and "RUNHL_G1_NETWORK" not in os.environ:
        works = subprocess.run(["unshare", "-nm", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
        os.environ["RUNHL_G1_NETWORK"] = "yes" if works and shutil.which("ip") else "no"
        if works:
            os.execvp("unshare", ["unshare", "-nm", sys.executable, __file__, *sys.argv[1:]])
    counts = run_cases(program, names, write)
    if path := os.environ.get("RUNHL_COUNTS"):
        with open(path, "a") as file:
            file.write("{passed} {failed} {skipped}\n".format(**counts))
    print("upstream g1: {passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
