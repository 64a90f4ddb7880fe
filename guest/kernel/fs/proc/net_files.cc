// SPDX-License-Identifier: Apache-2.0
// /proc/PID/net. The network is the host's, and what the guest knows of it are its own sockets:
// the tables have their headings, and no rows that could be wrong.
#include <array>

#include "fs/proc/process_files.h"

namespace runhl::kernel {
namespace {

Result<void> show_nothing(TextWriter& /*out*/, const Subject& /*subject*/) {
  return {};
}
Result<void> show_devices(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
      "drop fifo colls carrier compressed\n");
  return {};
}
Result<void> show_tcp(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
      "timeout inode                                                     \n");
  return {};
}
Result<void> show_tcp6(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "  sl  local_address                         remote_address                        st "
      "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
  return {};
}
Result<void> show_udp(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
      "timeout inode ref pointer drops             \n");
  return {};
}
Result<void> show_udp6(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "  sl  local_address                         remote_address                        st "
      "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
  return {};
}
Result<void> show_unix(TextWriter& out, const Subject& /*subject*/) {
  out.add("Num       RefCount Protocol Flags    Type St Inode Path\n");
  return {};
}
Result<void> show_routes(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT     "
      "                                                  \n");
  return {};
}
Result<void> show_arp(TextWriter& out, const Subject& /*subject*/) {
  out.add("IP address       HW type     Flags       HW address            Mask     Device\n");
  return {};
}
Result<void> show_netlink(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    "
      "Inode\n");
  return {};
}
Result<void> show_packets(TextWriter& out, const Subject& /*subject*/) {
  out.add("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
  return {};
}
Result<void> show_protocols(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss "
      "gs se re sp bi br ha uh gp em\n");
  return {};
}
Result<void> show_socket_counts(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n"
      "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n");
  return {};
}

constexpr TableRow kRows[] = {
    file("arp", 0444, show_arp),
    file("dev", 0444, show_devices),
    file("if_inet6", 0444, show_nothing),
    file("igmp", 0444, show_nothing),
    file("ipv6_route", 0444, show_nothing),
    file("netlink", 0444, show_netlink),
    file("packet", 0444, show_packets),
    file("protocols", 0444, show_protocols),
    file("raw", 0444, show_udp),
    file("raw6", 0444, show_udp6),
    file("route", 0444, show_routes),
    file("sockstat", 0444, show_socket_counts),
    file("tcp", 0444, show_tcp),
    file("tcp6", 0444, show_tcp6),
    file("udp", 0444, show_udp),
    file("udp6", 0444, show_udp6),
    file("unix", 0444, show_unix),
};

Result<void> check_alive(const Subject& subject) {
  TRY(find_target(subject));
  return {};
}

constexpr Table kTable{.rows = kRows, .check = check_alive};

}  // namespace

Result<Ref<PseudoNode>> make_net_directory(const PseudoFileSystem& system, const Subject& subject) {
  Subject directory = subject;
  directory.row = nullptr;
  return Ref<PseudoNode>(TRY(make_ref<TableNode>(system, kTable, "", directory)));
}

}  // namespace runhl::kernel
