# SPDX-License-Identifier: Apache-2.0
# Snapshots on disk of a G1 guest: saved by one process, restored by others. testdata/ has what
# upstream's programs of that time made of a guest like probe.c: a snapshot (sample.hls.gz) with the
# guest that it is of (kernel.gz), which one call has run; and what guests restored from such a file
# answered (pyhl-*.txt).
import gzip
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import time

RECORDED = pathlib.Path(__file__).resolve().parent / "testdata"
KIND = ["--abi", "g1", "--isolation", "emulated", "-q"]
HEADER_HASH, BLOB_HASH, FUNCTIONS = 1112, 1144, 1176


def number(data, which):
    return struct.unpack_from("<Q", data, 8 + 8 * which)[0]


def b3sum(data):
    result = subprocess.run(["b3sum", "--no-names"], input=bytes(data), capture_output=True, check=True)
    return bytes.fromhex(result.stdout.decode().strip())


def header_hash(data):
    return b3sum(data[:HEADER_HASH] + data[BLOB_HASH:FUNCTIONS + number(data, 18)])


class Snapshots:
    def __init__(self, world, program, limit):
        self.world, self.program, self.limit = world, program, limit

    def boot(self, *words, kernel="g1probe"):
        """Status and what it said."""
        result = subprocess.run([self.program, kernel, *KIND, *words], cwd=self.world.directory, stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=self.limit, check=False)
        return result.returncode, result.stderr.decode(errors="replace")

    def file(self, name="s.hls"):
        return self.world.directory / name

    def save(self, script, *words):
        self.world.archive(script)
        self.file().unlink(missing_ok=True)
        status, said = self.boot("-m", "16Mi", "--initrd", "c.cpio", "--save", "s.hls", *words)
        assert status == 0, said

    def restore(self, *words, name="s.hls", kernel="g1probe", archive="c.cpio"):
        status, said = self.boot("--restore", name, "--initrd", archive, *words, kernel=kernel)
        return status, re.sub(r"(?m)^\[timing\] load=.*\n", "", said)

    def refused(self, want, *words, **options):
        """With one line, which has this in it."""
        status, said = self.restore(*words, **options)
        assert status == 1 and said.count("\n") == 1 and want in said, f"{want}: {status} {said}"


def goes_on_as_booted(it):
    script = 'I\nN\nJ {"name":"fs_read","args":{"path":"/host/f.txt"}}\nJ {"name":"__hl_exit","args":{"code":7}}\n'
    it.world.archive(script)
    booted, said = it.boot("-m", "16Mi", "--initrd", "c.cpio", "--mount", "w", "--", "a", "b c")
    said = re.sub(r"(?m)^(g1probe: booted|\[timing\].*)\n", "", said)
    it.save(script, "--mount", "w", "--", "a", "b c")
    restored, also = it.restore("--mount", "w")
    assert (restored, also) == (booted, said) and booted == 7 and 'cmdline [a "b c"]' in said, f"{said}{also}"
    size = it.file().stat()
    assert size.st_mode & 0o777 == 0o600 and size.st_blocks * 512 < 600 * 1024 < size.st_size, size
    status, said = it.restore("--mount", "w", "--repeat", "2")
    assert status == 7 and said.count("counter 1\n") == 3 and "counter 2" not in said, said


def has_the_hosts_time(it):
    it.save("T\n")
    time.sleep(4)
    _, said = it.restore()
    its = int(re.search(r"^time (\d+)$", said, re.M)[1])
    assert abs(its - time.time()) < 2.5, f"{its} {time.time()}"


def is_hashed_as_elsewhere(it):
    if not shutil.which("b3sum"):
        return "no b3sum"
    it.save("N\n")
    data = it.file().read_bytes()
    begin, size = number(data, 15), number(data, 14)
    assert data[HEADER_HASH:BLOB_HASH] == header_hash(data)
    assert data[BLOB_HASH:FUNCTIONS] == b3sum(data[begin:begin + size])
    return None


def upstreams(it):
    """The recorded snapshot, and its kernel; of this CPU, where that can be done."""
    it.file("kernel").write_bytes(gzip.decompress((RECORDED / "kernel.gz").read_bytes()))
    data = bytearray(gzip.decompress((RECORDED / "sample.hls.gz").read_bytes()))
    it.file("kvm.hls").write_bytes(data)
    if shutil.which("b3sum"):
        data[8 + 8 * 17:8 + 8 * 18] = b"emulated"
        data[HEADER_HASH:BLOB_HASH] = header_hash(data)
        it.file("up.hls").write_bytes(data)
    return bytes(data)


def of_upstreams_host_goes_on(it):
    upstreams(it)
    it.world.archive('I\nN\nJ {"name":"net_socket"}\n')  # as large as the one that it booted with
    it.refused("taken with CPU kvm, and here it is emulated", name="kvm.hls", kernel="kernel")
    if not it.file("up.hls").exists():
        return "no b3sum"
    recorded = (RECORDED / "pyhl-run-info.txt").read_text()
    status, said = it.restore("--mount", "w", name="up.hls", kernel="kernel")
    for part in ("PEB .*\ninput at .*\ncmdline .*\n", '> {"name":"net_socket"}\n<.*\n'):
        want = re.search(part, recorded)[0]
        assert want in said, f"{want}{said}"
    assert status == 0 and "counter 2\n" in said, said
    it.refused("another kernel", name="up.hls")
    return None


def of_upstreams_host_is_whole_or_refused(it):
    data = upstreams(it)
    it.world.archive('I\nN\nJ {"name":"net_socket"}\n')
    head, pages = number(data, 15), [at for at in range(0, len(data), 4096) if any(data[at:at + 4096])]
    assert len(pages) == 57
    places = [*range(0, head, 41), *(page + 1 for page in pages[1::3]), *range(head + 12345, len(data), 1 << 21),
              len(data) - 4096, len(data) - 1]
    it.file("bad.hls").write_bytes(data)
    with open(it.file("bad.hls"), "r+b") as file:
        for at in places:
            for byte in (data[at] ^ 1 << at % 8, data[at]):
                file.seek(at)
                file.write(bytes([byte]))
                file.flush()
                if byte != data[at]:
                    it.refused("bad.hls: ", name="bad.hls", kernel="kernel")


def answers_as_upstreams(it):
    for path in sorted(RECORDED.glob("pyhl-run-*.txt")):
        text = path.read_text()
        command = shlex.split(re.match(r"\$ ((?s:.*?))\n--- stdout", text)[1])
        mounts = [word for at, word in enumerate(command) if "--mount" in (word, command[at - 1])]
        code = command[-1]
        said = re.search(r"--- stderr\n((?s:.*))--- exit (\d+)\n", text)
        want = said[1].split(f"text [{code}] counter 2\n", 1)[1]
        want = want.replace("input 0x4000 output 0x4000", "input 0x20000 output 0x20000")
        want = want.replace("pt 0xffbff0000", "pt 0xffc028000")
        it.save(code[1:], "--mount", "w")
        status, ours = it.restore(*mounts)
        ours = ours.split("\n", 1)[1]  # the call itself, which has no parameter
        ours = re.sub("archive mapped \\d+", "archive mapped 272", ours)
        assert ours == want and status == int(said[2]), f"{path.name}: {status} {want}{ours}"


def bad_ones_are_refused(it):
    it.save("N\n")
    good = it.file().read_bytes()
    for at, want in ((0, "HLS"), (20, "abi_version"), (300, "header_hash"), (1200, "header_hash"), (2000, "filled up"),
                     (1_000_000, "blob_hash"), (len(good) - 5, "last page")):
        bad = bytearray(good)
        bad[at] ^= 1
        it.file("bad.hls").write_bytes(bad)
        it.refused("bad.hls: ", name="bad.hls")
        it.refused(want, name="bad.hls")
    for size in (0, 100, 1180, 100_000, len(good) - 1):
        it.file("bad.hls").write_bytes(good[:size])
        it.refused("bad.hls: ", name="bad.hls")
    it.refused("a directory", name="w")
    it.refused("No such file", name="none.hls")
    it.refused("16777216 bytes of memory, not 33554432", "-m", "32Mi")
    it.refused("arguments", "--", "x")
    it.refused("archive", archive="w/f.txt")
    it.world.archive("N\nN\nN\n")
    it.refused("an archive of 248 bytes, not 252")
    kernel = bytearray((it.world.directory / "g1probe").read_bytes())
    kernel[struct.unpack_from("<Q", kernel, 64 + 8)[0] + 512] ^= 1  # of the first segment
    it.file("other").write_bytes(kernel)
    it.world.archive("N\n")
    it.refused("another kernel: its memory has other code", kernel="other")
    status, said = it.boot("-m", "16Mi", "--initrd", "c.cpio", "--save", "s.hls")
    assert status == 1 and said.endswith("s.hls: File exists\n") and it.file().read_bytes() == good, said
    status, said = it.boot("-m", "16Mi", "--initrd", "c.cpio", "--save", "none/s.hls")
    assert status == 1 and "none/: No such file" in said, said
    assert not list(it.world.directory.glob(".runhl*"))


def other_generations_have_others(it):
    """Their snapshots are directories; a file is none."""
    it.save("N\n")
    status, said = it.boot("--restore", "s.hls", "--abi", "g3", "--", "/x")
    assert status == 1 and "Not a directory" in said, said


CASES = {"snapshot-goes-on-as-booted": goes_on_as_booted, "snapshot-has-the-hosts-time": has_the_hosts_time,
         "snapshot-is-hashed-as-elsewhere": is_hashed_as_elsewhere,
         "snapshot-of-upstreams-host-goes-on": of_upstreams_host_goes_on,
         "snapshot-of-upstreams-host-is-whole": of_upstreams_host_is_whole_or_refused,
         "snapshot-answers-as-upstreams": answers_as_upstreams, "snapshot-bad-ones": bad_ones_are_refused,
         "snapshot-of-other-generations": other_generations_have_others}


def check(name, world, program, limit):
    """True, false (and why), or why it was skipped."""
    try:
        skipped = CASES[name](Snapshots(world, program, limit))
    except AssertionError as error:
        print(f"FAILED: g1: {name}: {error}")
        return False
    return skipped or True
