# SPDX-License-Identifier: Apache-2.0
# The run times that do most for themselves: a JVM, node, Go.
. /suite/prelude.sh
cd /tmp || exit 1
cat >Hello.java <<'J'
import java.nio.file.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class Hello {
  public static void main(String[] a) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<Long>> sums = new ArrayList<>();
    for (int i = 0; i < 64; i++) { final int n = i; sums.add(pool.submit(() -> LongStream.range(0, 10000L * n).sum())); }
    long total = 0; for (Future<Long> f : sums) total += f.get();
    pool.shutdown(); System.out.println(total);
    byte[][] garbage = new byte[64][]; for (int i = 0; i < 2000; i++) garbage[i % 64] = new byte[100000];
    Path p = Files.createTempFile("x", "y"); Files.writeString(p, "text"); System.out.println(Files.readString(p)); Files.delete(p);
    Process q = new ProcessBuilder("sh", "-c", "echo child; exit 5").redirectErrorStream(true).start();
    System.out.print(new String(q.getInputStream().readAllBytes())); System.out.println(q.waitFor());
    try (Stream<Path> s = Files.walk(Path.of("/usr/share/perl"))) { System.out.println(s.count() > 100); }
  }
}
J
cat >hello.js <<'J'
const fs = require('fs'), cp = require('child_process'), { Worker } = require('worker_threads');
console.log(cp.execSync('echo child').toString().trim(), cp.spawnSync('sh', ['-c', 'exit 4']).status);
fs.writeFileSync('/tmp/n', 'x'.repeat(100000)); console.log(fs.readFileSync('/tmp/n').length);
new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }).on('message', (m) => console.log('worker', m));
setTimeout(() => fs.promises.readdir('/usr/share/perl').then((d) => console.log(d.length > 0)), 50);
process.on('exit', (c) => console.log('exit', c));
J
cat >hello.go <<'G'
package main
import ("fmt"; "os"; "os/exec"; "os/signal"; "sync"; "syscall"; "time")
func main() {
  var wg sync.WaitGroup; var mu sync.Mutex; sum := 0
  for i := 0; i < 1000; i++ { wg.Add(1); go func(n int) { defer wg.Done(); time.Sleep(time.Millisecond); mu.Lock(); sum += n; mu.Unlock() }(i) }
  wg.Wait(); fmt.Println(sum)
  out, err := exec.Command("sh", "-c", "echo child; exit 3").Output(); fmt.Print(string(out)); fmt.Println(err)
  c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-c)
  d, _ := os.ReadDir("/usr/share/zoneinfo"); fmt.Println(len(d) > 10)
}
G
t 'java -XX:+UseSerialGC -Xshare:auto Hello.java 2>&1'
t 'node hello.js'
t 'export GOCACHE=/tmp/gocache GOPATH=/tmp/go HOME=/tmp GO111MODULE=off CGO_ENABLED=0; go build -o hello hello.go && ./hello'
