# SPDX-License-Identifier: Apache-2.0
mkdir -p /tmp/go && cd /tmp/go && cat >main.go <<'G'
package main

import (
	"os"
	"sync"
	"time"
)

func main() {
	for {
		var wg sync.WaitGroup
		for g := 0; g < 4; g++ {
			wg.Add(1)
			go func(name string) {
				defer wg.Done()
				for i := 0; i < 50; i++ {
					os.WriteFile(name, make([]byte, 5000), 0600)
					os.ReadFile(name)
					os.Stat(name)
					os.ReadDir("/usr/share/perl")
					r, w, _ := os.Pipe()
					w.Write([]byte("x"))
					r.Read(make([]byte, 1))
					r.Close()
					w.Close()
				}
				os.Remove(name)
				time.Sleep(time.Millisecond)
			}("/tmp/go/f" + string(rune('a'+g)))
		}
		wg.Wait()
	}
}
G
export GOCACHE=/tmp/cache GOPATH=/tmp/path HOME=/tmp GO111MODULE=off CGO_ENABLED=0
# The compiler's own calls are over before the program's are counted as warm ones.
go build -o main main.go && exec ./main
