#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives back what comes over TCP and UDP, on one free port of ADDRESS; prints the port first."""
import socket
import sys
import threading


def main():
    address = sys.argv[1]
    stream = socket.create_server((address, 0))
    port = stream.getsockname()[1]
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind((address, port))
    print(port, flush=True)

    def datagrams():
        while True:
            data, peer = datagram.recvfrom(65536)
            datagram.sendto(b"echo " + data, peer)

    threading.Thread(target=datagrams, daemon=True).start()
    while True:
        connection, _ = stream.accept()
        with connection:
            connection.sendall(b"echo " + connection.recv(65536))


main()
