# SPDX-License-Identifier: Apache-2.0
exec python3 -c 'import os, select, socket, threading, time
a, b = socket.socketpair()
while True:
    for i in range(50):
        with open("/tmp/x", "w") as f: f.write("x" * 9000)
        with open("/tmp/x") as f: f.read()
        os.stat("/tmp/x"); os.listdir("/usr/share/perl"); os.rename("/tmp/x", "/tmp/y"); os.unlink("/tmp/y")
        a.send(b"x"); select.select([b], [], [], 0); b.recv(1); r, w = os.pipe(); os.write(w, b"x"); os.read(r, 1); os.close(r); os.close(w)
    t = threading.Thread(target=time.sleep, args=(0,)); t.start(); t.join()'
