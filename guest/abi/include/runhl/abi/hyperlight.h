// SPDX-License-Identifier: Apache-2.0
// Hyperlight's contract between host and guest: addresses, ports, shared structures. Not ours: each
// number is what kernels of these generations have built in. Messages:
// guest/abi/hyperlight/message.fbs.
//
//   generation   kernels of hyperlight-unikraft   channel
//   G1           0.4                              two buffer stacks
//   G2           0.17.0                           two buffer stacks
//   G3           0.18.0 – 0.20.1                  two packed virtqueues
//
//   guest-physical                                                     guest-virtual
//   10_0000_0000 ┌──────────────────────────────────────────────┐ ffff_ffff_ffff_f000
//                │ two pages: metadata words, exception stack   │
//                │ free pages, taken by the guest from below    │
//                │ page tables                                  │
//                │ G1, G2: input stack, output stack            │
//                │ G3: arena: rings, mailbox, buffer pools      │
//    … − scratch └──────────────────────────────────────────────┘ ffff_ffff_ffff_f000 − scratch
//      fef0_0000 ┌ initrd, read-only; the guest maps it itself ─┐ none
//  G1: c000_0000 └──────────────────────────────────────────────┘ G1: as physical
//                ┌──────────────────────────────────────────────┐
//                │ G1: init_data             read-only          │
//                │ heap; G1: all its memory  copied on write    │
//                │ PEB                       read-only          │
//           4000 │ the kernel's image        copied on write    │ as physical
//  G1:      1000
//                └──────────────────────────────────────────────┘
//              0   nothing
//
// Writable low memory is mapped read-only with a bit that the guest's page-fault handler knows: it
// takes a free scratch page, copies, and changes the entry. The host has no part in it.
#pragma once

#include <cstdint>

namespace runhl::abi::hyperlight {

// Addresses.
inline constexpr std::uint64_t kBase = 0x4000;  ///< physical, of the kernel's first byte
inline constexpr std::uint64_t kBaseG1 = 0x1000;
inline constexpr std::uint64_t kPhysicalTop = 1ULL << 36;
inline constexpr std::uint64_t kVirtualTop = 0xffff'ffff'ffff'f000;  ///< of scratch
inline constexpr std::uint64_t kInitrd = 0xfef0'0000;
inline constexpr std::uint64_t kInitrdG1 = 0xc000'0000;
inline constexpr std::uint64_t kMaxMemory = (16ULL << 30) - kBase;  ///< image part, and scratch
/// Virtual, and of no snapshot: reserved for the tables of one.
inline constexpr std::uint64_t kTablesWindow = 0xffff'8000'0000'0000;
inline constexpr std::uint64_t kTablesWindowEnd = 0xffff'8100'0000'0000;
inline constexpr std::uint64_t kHeapSize = 0x10'0000;  ///< less than this crashes G3 kernels

// Metadata words of 8 bytes, by distance from the end of scratch.
inline constexpr std::uint64_t kWordScratchSize = 0x08;
inline constexpr std::uint64_t kWordNextFree = 0x10;  ///< physical address of the next free page
inline constexpr std::uint64_t kWordPageTables = 0x18;
inline constexpr std::uint64_t kWordGeneration = 0x20;  ///< of the snapshot, 0 at boot
inline constexpr std::uint64_t kWordReseed = 0x28;      ///< 0, or kReseed and 32 random bits
inline constexpr std::uint64_t kWordLogLevel = 0x30;
inline constexpr std::uint64_t kWordArena = 0x38;  // from here on G3 alone
inline constexpr std::uint64_t kWordG2hCount = 0x40;
inline constexpr std::uint64_t kWordG2hPoolPages = 0x48;
inline constexpr std::uint64_t kWordG2hBuffer = 0x50;
inline constexpr std::uint64_t kWordH2gCount = 0x58;
inline constexpr std::uint64_t kWordH2gPoolPages = 0x60;
inline constexpr std::uint64_t kWordH2gBuffer = 0x68;
inline constexpr std::uint64_t kExceptionStackG2 = kVirtualTop - 0x30;  ///< of G1, too
inline constexpr std::uint64_t kExceptionStackG3 = kVirtualTop - 0x70;

inline constexpr std::uint64_t kReseed = 1ULL << 32;

// The PEB, in words of 8 bytes.
inline constexpr std::uint64_t kPebPairG2InputStack = 0x00;  ///< {size, address}; of G1, too
inline constexpr std::uint64_t kPebPairG2OutputStack = 0x10;
inline constexpr std::uint64_t kPebPairG2InitData = 0x20;
inline constexpr std::uint64_t kPebPairG2Heap = 0x30;
inline constexpr std::uint64_t kPebPairG3InitData = 0x00;
inline constexpr std::uint64_t kPebPairG3Heap = 0x10;

// Page table entries: 4 levels, pages of 4 KiB alone.
inline constexpr std::uint64_t kPtePresent = 1ULL << 0;
inline constexpr std::uint64_t kPteWritable = 1ULL << 1;
inline constexpr std::uint64_t kPteAccessed = 1ULL << 5;
inline constexpr std::uint64_t kPteDirty = 1ULL << 6;
inline constexpr std::uint64_t kPteLarge = 1ULL << 7;  ///< in a table above the last
inline constexpr std::uint64_t kPteCopyOnWrite = 1ULL << 9;
inline constexpr std::uint64_t kPteNoExecute = 1ULL << 63;
inline constexpr std::uint64_t kPteAddress = 0x000f'ffff'ffff'f000;

// Control registers at the first entry.
inline constexpr std::uint64_t kCr0 = 0x8005'0033;  // PE MP ET NE WP AM PG
inline constexpr std::uint64_t kCr4 = 0x620;        // PAE OSFXSR OSXMMEXCPT
inline constexpr std::uint64_t kEfer = 0xd01;       // SCE LME LMA NXE
inline constexpr std::uint64_t kRflags = 0x2;
/// ZF, of a call's entry: memory changed beneath the guest, which is to forget what it translated.
inline constexpr std::uint64_t kRflagsFlush = 1ULL << 6;

// Ports that a guest writes to.
inline constexpr std::uint16_t kPortLogG2 = 99;
inline constexpr std::uint16_t kPortCallG2 = 101;
inline constexpr std::uint16_t kPortAbort = 102;    ///< [count, up to 3 bytes]
inline constexpr std::uint16_t kPortDebug = 103;    ///< one character
inline constexpr std::uint16_t kPortTimerG1 = 107;  ///< microseconds between interrupts, 0: none
inline constexpr std::uint16_t kPortHalt = 108;
inline constexpr std::uint16_t kPortNotifyG3 = 109;
inline constexpr std::uint8_t kAbortEnd = 0xff;

// G2: a buffer stack is a u64 `sp`, 8 when it is empty, then elements, each behind it with the
// u64 offset of itself.
inline constexpr std::uint64_t kStackBufferSize = 0x1'1000;
/// Upstream's host gives 0x4000, which does not hold what G1 kernels read of a file at once.
inline constexpr std::uint64_t kStackBufferSizeG1 = 0x2'0000;
/// Of a guest that another host began; less is none of upstream's, more is of no use.
inline constexpr std::uint64_t kLeastStackBufferG1 = 0x2000, kMostStackBufferG1 = 0x10'0000;
inline constexpr std::uint64_t kStackEmpty = 8;

// G3: packed virtqueues. In both the guest is the driver, the host the device.
struct Descriptor {
  std::uint64_t address = 0;  ///< guest-virtual, in scratch
  std::uint32_t length = 0;
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
};
static_assert(sizeof(Descriptor) == 16);
inline constexpr std::uint16_t kDescriptorNext = 0x0001;
inline constexpr std::uint16_t kDescriptorWrite = 0x0002;  ///< the host writes
inline constexpr std::uint16_t kDescriptorIndirect = 0x0004;
inline constexpr std::uint16_t kDescriptorAvailable = 0x0080;
inline constexpr std::uint16_t kDescriptorUsed = 0x8000;
inline constexpr std::uint64_t kRingDriverEvent = 0;  ///< behind the descriptors
inline constexpr std::uint64_t kRingDeviceEvent = 4;
inline constexpr std::uint64_t kRingEvents = 8;  ///< bytes of both

// The geometry that upstream's host gives to G3 kernels since 0.19; they take it from the words.
inline constexpr std::uint32_t kG2hCount = 64, kH2gCount = 32;
inline constexpr std::uint32_t kG2hPoolPages = 36, kH2gPoolPages = 256;
inline constexpr std::uint32_t kH2gBuffer = 32768, kG2hBuffer = 4096;
inline constexpr std::uint64_t kG2hRingSize = kG2hCount * sizeof(Descriptor) + kRingEvents;
inline constexpr std::uint64_t kH2gRingSize = kH2gCount * sizeof(Descriptor) + kRingEvents;
inline constexpr std::uint64_t kMaxPayload = 69620;  ///< of one host call

// What stands before each message in a G3 buffer.
struct MessageHeader {
  std::uint8_t kind = 0;
  std::uint8_t reserved[3] = {};
  std::uint32_t correlation = 0;
  std::uint32_t payload = 0;  ///< bytes that follow
};
static_assert(sizeof(MessageHeader) == 12);
inline constexpr std::uint8_t kMessageRequest = 1;
inline constexpr std::uint8_t kMessageResponse = 2;
inline constexpr std::uint8_t kMessageLog = 6;
inline constexpr std::uint8_t kMessageCheckpoint = 7;  ///< of the host: publish your rings anew
inline constexpr std::uint64_t kMailboxPublished = 1;

// G1: init_data, how a kernel learns what it boots with. Items without padding, their numbers of 32
// bits but for the time; the block is filled up with zeros to whole pages, the last 8 bytes of
// which are the archive's size, 0 for none.
//
//   HLCMDLN\0  length  bytes  \0                   the program's arguments
//   HLHSMNT\0  count   { length  bytes  \0 } …     where host directories are; left out for none
//   HLWALL0\0  8       nanoseconds since 1970
inline constexpr char kInitCommandLine[] = "HLCMDLN";
inline constexpr char kInitMounts[] = "HLHSMNT";
inline constexpr char kInitWallClock[] = "HLWALL0";

// Ours, and of no other host: the call that tells the program of vmm/hyperlight/starter, which
// waits in a snapshot, what to become. Its one string: the mark, how many arguments and variables,
// then these, each with its NUL. With kStartPlaced in the first count three more come first: the
// program's path, its working directory, the machine's name.
inline constexpr char kStartMark[] = "runhl starts\n";
inline constexpr std::uint32_t kStartPlaced = 0x8000'0000;

inline constexpr std::uint64_t kErrorHost = 17;  ///< GuestError: a host function failed

}  // namespace runhl::abi::hyperlight
