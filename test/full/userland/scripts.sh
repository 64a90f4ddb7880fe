# SPDX-License-Identifier: Apache-2.0
# perl and python3 scripts that use what a system gives: processes, threads, loops of events, files.
. /suite/prelude.sh
cd /tmp || exit 1
py() { python3 -c "$1"; }
t 'py "
import subprocess, os, signal
print(subprocess.run([\"sh\", \"-c\", \"echo out; echo err >&2; exit 3\"], capture_output=True, text=True))
p = subprocess.Popen([\"cat\"], stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(len(p.communicate(b\"x\" * 1000000)[0]))
p = subprocess.Popen([\"sleep\", \"60\"]); p.send_signal(signal.SIGTERM); print(p.wait())
try: subprocess.run([\"sleep\", \"60\"], timeout=0.2)
except subprocess.TimeoutExpired as e: print(e.cmd, round(e.timeout, 1))
a = subprocess.Popen([\"seq\", \"1000\"], stdout=subprocess.PIPE); b = subprocess.Popen([\"wc\", \"-l\"], stdin=a.stdout, stdout=subprocess.PIPE); a.stdout.close(); print(b.communicate())
print([subprocess.call([\"true\"]) for _ in range(50)].count(0), subprocess.getstatusoutput(\"exit 5\"))
print(os.waitstatus_to_exitcode(os.system(\"kill -9 \$\$\")), os.popen(\"echo popen\").read())
"'
t 'py "
import threading, queue, time
q, lock, total = queue.Queue(), threading.Lock(), [0]
def work():
    while (n := q.get()) is not None:
        with lock: total[0] += n
ts = [threading.Thread(target=work) for _ in range(16)]
for x in ts: x.start()
for n in range(20000): q.put(n)
for _ in ts: q.put(None)
for x in ts: x.join()
print(total)
e = threading.Event(); threading.Timer(0.05, e.set).start(); print(e.wait(5)); b = threading.Barrier(4)
r = []; ts = [threading.Thread(target=lambda i=i: r.append(b.wait())) for i in range(4)]; [x.start() for x in ts]; [x.join() for x in ts]; print(sorted(r))
c = threading.Condition(); got = []
def consume():
    with c:
        while not got: c.wait()
        print(got)
x = threading.Thread(target=consume); x.start()
with c: got.append(1); c.notify_all()
x.join()
"'
t 'py "
import asyncio
async def child(n):
    p = await asyncio.create_subprocess_exec(\"sh\", \"-c\", f\"echo {n}; exit {n}\", stdout=asyncio.subprocess.PIPE); out, _ = await p.communicate(); return out, p.returncode
async def main():
    print(await asyncio.gather(*[child(n) for n in range(10)]))
    print(await asyncio.gather(*[asyncio.sleep(0.001 * n, n) for n in range(50)]))
    q = asyncio.Queue(); t = asyncio.create_task(q.get()); await q.put(5); print(await t)
    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError: print(\"timeout\")
    print(await asyncio.get_running_loop().run_in_executor(None, sum, range(1000)))
asyncio.run(main())
"'
t 'py "
import sqlite3
for name in (\":memory:\", \"/tmp/a.db\", \"/var/tmp/b.db\"):
    for mode in (\"delete\", \"wal\", \"truncate\"):
        c = sqlite3.connect(name); print(name, c.execute(f\"pragma journal_mode={mode}\").fetchone())
        c.execute(\"create table if not exists t (a integer primary key, b text)\"); c.executemany(\"insert into t (b) values (?)\", [(str(i),) for i in range(2000)]); c.commit()
        d = sqlite3.connect(name, timeout=0.1); print(c.execute(\"select count(*), sum(b) from t\").fetchall())
        c.execute(\"begin immediate\")
        try: d.execute(\"begin immediate\"); print(\"both\")
        except sqlite3.OperationalError as e: print(e)
        c.rollback(); c.execute(\"delete from t where a % 2\"); c.commit(); c.execute(\"vacuum\"); print(c.execute(\"pragma integrity_check\").fetchone()); d.close(); c.close()
"; rm -f /tmp/a.db* /var/tmp/b.db*'
cat >/tmp/mp.py <<'P'
import multiprocessing as mp, sys
def square(n): return n * n
def add(value, lock, queue):
    for _ in range(500):
        with lock: value.value += 1
    queue.put("done")
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        c = mp.get_context(method)
        with c.Pool(4) as pool: print(method, sum(pool.map(square, range(1000))), pool.apply(square, (9,)), list(pool.imap(square, range(5))))
        v, l, q = c.Value("i", 0), c.Lock(), c.Queue(); ps = [c.Process(target=add, args=(v, l, q)) for _ in range(4)]
        [p.start() for p in ps]; print([q.get() for _ in ps]); [p.join() for p in ps]; print(v.value, [p.exitcode for p in ps])
        a, b = c.Pipe(); a.send({"k": [1, 2]}); print(b.recv())
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=100); s.buf[:3] = b"abc"; t = shared_memory.SharedMemory(s.name); print(bytes(t.buf[:3])); t.close(); s.close(); s.unlink()
    with mp.Manager() as m: d = m.dict(); d["x"] = 1; print(dict(d))
P
t 'python3 /tmp/mp.py'
t 'py "
import os, mmap, select, signal, fcntl, tempfile, shutil, pathlib, socket, selectors, pty, resource, time
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d); [(p / f\"{i}\").write_text(str(i)) for i in range(300)]; print(sum(int(x.read_text()) for x in p.iterdir())); shutil.copytree(p, p.parent / \"copy\"); shutil.rmtree(p.parent / \"copy\")
    with open(p / \"m\", \"w+b\") as f: f.truncate(8192); m = mmap.mmap(f.fileno(), 0); m[4096:4101] = b\"hello\"; m.flush(); f.seek(4096); print(f.read(5)); fcntl.flock(f, fcntl.LOCK_EX); os.utime(p / \"m\", ns=(1, 2)); print(os.stat(p / \"m\").st_mtime_ns)
a, b = socket.socketpair(); a.sendall(b\"x\" * 1000); print(len(b.recv(2000))); s = selectors.DefaultSelector(); s.register(b, 1); print(s.select(0)); a.send(b\".\"); print(len(s.select(1)))
signal.signal(signal.SIGALRM, lambda *x: print(\"alarm\")); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
pid, fd = pty.fork()
if pid == 0: os.execlp(\"sh\", \"sh\", \"-c\", \"test -t 0 && echo tty; stty size\")
out = b\"\"
try:
    while x := os.read(fd, 100): out += x
except OSError as e: print(e)
print(out, os.waitpid(pid, 0)[1]); print(resource.getrlimit(resource.RLIMIT_NOFILE), os.cpu_count() > 0, time.get_clock_info(\"monotonic\").resolution)
"'
t 'perl -e '"'"'
use strict; use IO::Select; use POSIX qw(:sys_wait_h mkfifo); use Fcntl qw(:flock); use File::Find; use File::Temp; use Socket; use IPC::Open3;
my @pids = map { my $n = $_; my $p = fork; exit $n unless $p; $p } 1 .. 20; my $sum = 0; for (@pids) { waitpid $_, 0; $sum += $? >> 8 } print "$sum\n";
pipe(my $r, my $w); unless (fork) { close $r; print $w "from child\n"; exit } close $w; print scalar <$r>; wait;
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print $@;
open my $f, "|-", "cat" or die; print $f "piped\n"; close $f; print qx(echo backtick), $? >> 8, "\n";
my $n = 0; find(sub { $n++ if -f }, "/usr/share/perl"); print $n > 100 ? "many\n" : "few\n";
my ($fh, $name) = File::Temp::tempfile(); flock $fh, LOCK_EX or die; print $fh "x"; close $fh; print -s $name, "\n"; unlink $name;
socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; syswrite $a, "sock\n"; sysread $b, my $buf, 10; print $buf;
my $pid = open3(my $in, my $out, undef, "sort"); print $in "b\na\n"; close $in; print <$out>; waitpid $pid, 0;
mkfifo("/tmp/pf", 0600) or die; unless (fork) { open my $q, ">", "/tmp/pf"; print $q "fifo\n"; exit } open my $q, "<", "/tmp/pf"; print <$q>; wait; unlink "/tmp/pf";
printf "%s %s %o\n", (stat "/etc/passwd")[7] > 0 ? "size" : "", join(",", sort map { (split /:/)[0] } qx(head -n 2 /etc/passwd)), umask; kill 0, $$ and print "alive\n"; exec "echo", "exec"'"'"''
