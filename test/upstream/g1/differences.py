# SPDX-License-Identifier: Apache-2.0
# Where this host answers a G1 guest otherwise than upstream's did, on purpose: each by name, with
# its reason. docs/compatibility.md says the same for people.
import re


class Rule:
    """What a recording says, and what it is here instead."""

    def __init__(self, name, pattern, replacement, cases=r".*"):
        self.name, self.cases = name, re.compile(cases)
        self.pattern, self.replacement = re.compile(pattern, re.M), replacement
        self.used = False

    def apply(self, case, recorded):
        if not self.cases.fullmatch(case):
            return False
        recorded.err, changes = self.pattern.subn(self.replacement, recorded.err)
        return changes > 0


def as_it_was(match):
    """Bytes that were printed as one character each, as the text that they are."""
    return match[0].encode("latin-1").decode()


RULES = [
    # Kernels read 32 KiB of a file at once, and in upstream's 16 KiB the answer ends them.
    Rule("larger-buffer-stacks", r"PEB input 0x4000 output 0x4000", "PEB input 0x20000 output 0x20000"),
    Rule("larger-buffer-stacks", r" pt (0x[0-9a-f]+)", lambda m: f" pt {hex(int(m[1], 16) + 0x38000)}"),
    # One run begins where the boot ended; only more of them need a snapshot to go back to.
    Rule("one-run-needs-no-restore", r" generation 0x1 ", " generation 0x0 "),
    # A guest's text is UTF-8 as often as not; upstream prints each byte of it as a character.
    Rule("text-as-it-was-written", r"[\u0080-\u00ff]{2,4}", as_it_was, r"envelope|fs-write"),
    # One line says it.
    Rule("one-line", r"\n(\n  tip: .*\n)?(\nUsage: .*\n)?\nFor more information, try '--help'\.\n", "\n"),
    Rule("one-line", r"were not provided:\n  <KERNEL>\n", "were not provided: <KERNEL>\n"),
    Rule("one-line", r"\n\nCaused by:\n(    .*\n)+", "\n"),
    # And in the words that other generations' guests get.
    Rule("words-for-faults", r"^Error: .*Invalid OutBAction value: (\d+)$",
         r"Error: it wrote to port \1, which there is not"),
    Rule("words-for-faults", r"^Error: .*Invalid character for debug print: (\d+)$",
         r"Error: it printed a character that there is not: \1"),
    Rule("words-for-faults", r"^Error: .*Unable to pop data from buffer: Stack pointer is out of bounds.*$",
         "Error: the guest's buffer stack is broken: its pointer is outside"),
    Rule("words-for-faults", r"^Error: resolve (\"[^\"]+\"): .*$", r"Error: network: cannot resolve \1: no such name"),
    Rule("words-for-faults", r"^Error: resolve \"\": .*$", 'Error: "": no name, address or network'),
    # Calls that no kernel makes: with parameters of other types than there are.
    Rule("words-for-types", r"Failed To Convert .* to \"Vec < u8 >\"", "__dispatch takes (v), not (s)"),
    Rule("words-for-types", r"Failed To Convert .* to \"String\"", "HostPrint takes (s), not (v)"),
    # A guest knows these errors by a word that the host's text has not, and takes them for EIO.
    Rule("errors-by-kind", r"\"error\":\"Address already in use", '"error":"AddrInUse: Address already in use'),
    Rule("errors-by-kind", r"\"error\":\"Transport endpoint is not connected",
         '"error":"NotConnected: Transport endpoint is not connected'),
    # The runner's timeout(1) says nothing; the recording's did.
    Rule("timeouts-own-word", r"^Terminated\n", ""),
]

_ARCHIVES = "an archive is looked at before it is booted from"
_MEMORY = "no number of bytes wraps around, and the message names what was asked for"
_KERNELS = "what is wrong with a kernel's file in words, its name in front"
CASES = {
    "cli-args-overlap": "the archive's size is not written over the wall clock where the arguments fill a page: blanks behind them make the block longer",
    "cli-initrd-directory": _ARCHIVES,
    "cli-initrd-empty": _ARCHIVES,
    "cli-initrd-junk": _ARCHIVES,
    "cli-kernel-bigendian": _KERNELS,
    "cli-kernel-directory": _KERNELS,
    "cli-kernel-empty": _KERNELS,
    "cli-kernel-text": _KERNELS,
    "cli-kernel-truncated": _KERNELS,
    "cli-memory-17Gi": _MEMORY,
    "cli-memory-18446744073709551615": _MEMORY,
    "cli-memory-99999999999Gi": _MEMORY,
    "cli-version": "says whose program it is",
    "fs-change": "fs_unlink of a link removes the link, as unlink(2) does, and not what it leads to",
    "fs-escape": "the same; and nothing is told of what lies outside",
    "limit-reply": "larger buffer stacks; where they are too small, the call fails and the guest goes on",
    "limit-reply-32k": "the same",
    "limit-request-max": "the same",
    "net-allow": "under a list, what is sent to port 53 are questions for listed names",
    "net-allow-10.0.0.0_8": "lists take networks",
    "net-allow-10.99.0.1_80": "lists take ports",
    "net-unguarded": "the host's loopback is refused under all its names",
}


def without_additions(ours):
    """The line by which `auto` says that a CPU in software stands in for KVM."""
    return re.sub(r"(?m)^Isolation: .*\n", "", ours)
