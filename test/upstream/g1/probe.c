// SPDX-License-Identifier: Apache-2.0
// A guest of generation G1 that does what a script tells it and prints what comes back, so that a
// host can be compared with what upstream's answered to the same (answers/). It has what a kernel
// must have: descriptor tables, the copying of pages on their first write, the archive's pages
// mapped when they are read, buffer stacks, messages; and nothing else.
//
// A call runs a script: its string parameter, where that begins with '!'; else the archive's file
// `script`; else two lines of its own. One command a line:
//
//   J TEXT               sends TEXT to __dispatch, prints the reply
//   C NAME TAG RET TEXT  calls the host function NAME with one parameter: TAG 7 a string, 9 bytes
//   I                    what it boots with
//   N                    counts, in its memory
//   T                    what time it is, as kernels reckon: the counter at 2.5 GHz since boot
//   E TEXT               prints TEXT
//   O PORT V   o PORT V  writes 32 bits, or 8, to a port
//   R AT       W AT V    reads 8 bytes of memory, writes one
//   U          S         an undefined instruction, an endless loop
//   A CODE EXC TEXT      aborts
//   X CODE               ends the call with an error
//
// @@N@@ in a line stands for N letters A. Numbers are decimal, or hexadecimal behind 0x.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define VIRTUAL_TOP 0xfffffffffffff000UL
#define PHYSICAL_TOP 0x1000000000UL
#define TO_VIRTUAL (VIRTUAL_TOP - PHYSICAL_TOP)
#define WORD(from_end) (*(volatile u64*)(VIRTUAL_TOP - (from_end)))
#define FAULT_STACK (VIRTUAL_TOP - 0x1000)
#define ARCHIVE 0xc0000000UL
#define PAGE 4096UL
#define ADDRESS 0x000ffffffffff000UL
#define PRESENT 1UL
#define WRITABLE 2UL
#define COPIED 0x200UL
#define NO_EXECUTE (1UL << 63)

enum { kScratchSize = 0x08, kNextFree = 0x10, kPageTables = 0x18, kGeneration = 0x20 };
enum { kPortCall = 101, kPortAbort = 102, kPortPrint = 103 };
enum { kString = 7, kBytes = 9, kBytesResult = 10 };
enum { kMost = 1 << 17, kShown = 600 };

struct area {
  u64 size;
  u8* at;
};
struct peb {
  struct area input, output, init_data, heap;
};
struct table_register {
  u16 limit;
  u64 base;
} __attribute__((packed));
struct gate {
  u16 low, selector;
  u8 stack, type;
  u16 middle;
  u32 high, zero;
};
struct text {
  const u8* at;
  u64 size;
};

// Hidden, or their addresses would be the linker's.
#pragma GCC visibility push(hidden)
extern void load_tables(struct table_register* gdt, struct table_register* idt);
extern void load_task_register(void);
extern u8 on_page_fault[], exceptions[];
#pragma GCC visibility pop
void exception(u64 vector, u64 error, u64 rip, u64 cr2);
void page_fault(u64 error, u64 cr2, u64 rip);
void boot(struct peb* from_host, u64 seed, u64 page, u64 level);
void serve_call(void);
void* memcpy(void* to, const void* from, u64 size);
void* memset(void* to, int byte, u64 size);

static struct peb* peb;
static u64 page_size, log_level, counter;
static u64 gdt[5];
static struct gate idt[32];
static u32 task_state[26];
static struct text arguments, archive;
static u64 mapped_archive, mounts_at, mount_count, wall_clock;
static int has_arguments;
static u8 frame[kMost], line[kMost], request[kMost];

void* memcpy(void* to, const void* from, u64 size) {
  for (u64 i = 0; i < size; i++) {
    ((volatile u8*)to)[i] = ((const u8*)from)[i];
  }
  return to;
}
void* memset(void* to, int byte, u64 size) {
  for (u64 i = 0; i < size; i++) {
    ((volatile u8*)to)[i] = (u8)byte;
  }
  return to;
}
static int begins(const u8* at, const char* with, u64 size) {
  for (u64 i = 0; i < size; i++) {
    if (at[i] != (u8)with[i]) {
      return 0;
    }
  }
  return 1;
}
static u16 get16(const u8* at) {
  return (u16)(at[0] | at[1] << 8);
}
static u32 get32(const u8* at) {
  return get16(at) | (u32)get16(at + 2) << 16;
}
static u64 get64(const u8* at) {
  return get32(at) | (u64)get32(at + 4) << 32;
}
static void put32(u8* at, u32 value) {
  for (int i = 0; i < 4; i++) {
    at[i] = (u8)(value >> 8 * i);
  }
}
static void put64(u8* at, u64 value) {
  put32(at, (u32)value);
  put32(at + 4, (u32)(value >> 32));
}

// ---- printing

static void out32(u16 port, u32 value) {
  __asm__ volatile("outl %0,%1" : : "a"(value), "Nd"(port) : "memory");
}
static void out8(u16 port, u8 value) {
  __asm__ volatile("outb %0,%1" : : "a"(value), "Nd"(port) : "memory");
}
static void print_bytes(const u8* at, u64 size) {
  for (u64 i = 0; i < size; i++) {
    out8(kPortPrint, at[i]);
  }
}
static void print(const char* words) {
  for (; *words != 0; words++) {
    out8(kPortPrint, (u8)*words);
  }
}
static void print_decimal(u64 value) {
  u8 digits[20];
  int count = 0;
  do {
    digits[count++] = (u8)('0' + value % 10);
  } while ((value /= 10) != 0);
  while (count > 0) {
    out8(kPortPrint, digits[--count]);
  }
}
static void print_hex(const char* name, u64 value) {
  int shift = 60;
  print(name);
  print("0x");
  while (shift > 0 && value >> shift == 0) {
    shift -= 4;
  }
  for (; shift >= 0; shift -= 4) {
    const u8 digit = value >> shift & 15;
    out8(kPortPrint, digit < 10 ? (u8)('0' + digit) : (u8)('a' + digit - 10));
  }
}
// Long ones by their ends.
static void show(struct text text) {
  if (text.size <= kShown) {
    print_bytes(text.at, text.size);
    return;
  }
  print_bytes(text.at, 150);
  print("...");
  print_bytes(text.at + text.size - 50, 50);
  print(" (");
  print_decimal(text.size);
  print(" bytes)");
}

// ---- faults

static void abort_byte(u8 byte) {
  out32(kPortAbort, 1 | (u32)byte << 8);
}
static void __attribute__((noreturn)) abort_with(u8 code, u8 kind, struct text text) {
  abort_byte(code);
  abort_byte(kind);
  for (u64 i = 0; i < text.size; i++) {
    abort_byte(text.at[i]);
  }
  abort_byte(0xff);
  for (;;) {
    __asm__ volatile("hlt");
  }
}
void exception(u64 vector, u64 error, u64 rip, u64 cr2) {
  print_hex("EXC vector ", vector);
  print_hex(" error ", error);
  print_hex(" rip ", rip - (u64)exceptions);
  print_hex(" cr2 ", cr2);
  print("\n");
  abort_with(0, (u8)vector, (struct text){(const u8*)"g1probe", 7});
}

// A free page of scratch, by its physical address; 0: there is none. Nothing in low memory may be
// written until the fault is served: it would fault on the same stack.
static u64 take_page(void) {
  const u64 page = __atomic_fetch_add((u64*)(VIRTUAL_TOP - kNextFree), PAGE, __ATOMIC_SEQ_CST);
  return page + PAGE > PHYSICAL_TOP - 2 * PAGE ? 0 : page;
}
static u64* table_at(u64 entry) {
  return (u64*)((entry & ADDRESS) + TO_VIRTUAL);
}
// The entry of the last table for `address`, with the tables on the way where they are asked for.
static u64* find_entry(u64 address, int make) {
  u64 entry;
  __asm__ volatile("mov %%cr3,%0" : "=r"(entry));
  u64* at = table_at(entry) + (address >> 39 & 511);
  for (int shift = 30; shift >= 12; shift -= 9) {
    if ((*at & PRESENT) == 0) {
      const u64 page = make ? take_page() : 0;
      if (page == 0) {
        return 0;
      }
      memset((void*)(page + TO_VIRTUAL), 0, PAGE);
      *at = page | 0x23;
    }
    at = table_at(*at) + (address >> shift & 511);
  }
  return at;
}
static int copy_page(u64* entry, u64 address) {
  const u64 page = take_page();
  if (page == 0) {
    return 0;
  }
  memcpy((void*)(page + TO_VIRTUAL), (void*)(address & ~(PAGE - 1)), PAGE);
  *entry = (*entry & ~(ADDRESS | COPIED)) | page | WRITABLE;
  __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
  return 1;
}
void page_fault(u64 error, u64 cr2, u64 rip) {
  const int in_archive = (error & 1) == 0 && cr2 >= ARCHIVE && cr2 < ARCHIVE + mapped_archive;
  u64* const entry = find_entry(cr2, in_archive);
  if (entry != 0 && in_archive && (*entry & PRESENT) == 0) {
    *entry = (cr2 & ~(PAGE - 1)) | 0x61 | NO_EXECUTE;
    return;
  }
  const int is_write = (error & 0x1f) == 3;
  if (entry != 0 && is_write && (*entry & 0xe00) == COPIED && copy_page(entry, cr2)) {
    return;
  }
  exception(14, error, rip, cr2);
}

// ---- boot

static struct gate gate_to(const u8* handler, u8 stack) {
  const u64 at = (u64)handler;
  return (struct gate){(u16)at, 8, stack, 0x8e, (u16)(at >> 16), (u32)(at >> 32), 0};
}
static u64 skip_mounts(const u8* at, u64 pos, u64 count) {
  for (; count > 0; count--) {
    pos += 4 + get32(at + pos) + 1;
  }
  return pos;
}
static void read_init_data(void) {
  const u8* const at = peb->init_data.at;
  const u64 size = peb->init_data.size;
  u64 pos = 0;
  if (size < 8 || !begins(at, "HLCMDLN", 8)) {
    archive = (struct text){at, size};
    return;
  }
  while (pos + 12 <= size) {
    const u32 value = get32(at + pos + 8);
    if (begins(at + pos, "HLCMDLN", 8)) {
      has_arguments = 1;
      arguments = (struct text){at + pos + 12, value};
      pos += 12 + value + 1;
    } else if (begins(at + pos, "HLHSMNT", 8)) {
      mount_count = value;
      mounts_at = pos + 12;
      pos = skip_mounts(at, mounts_at, value);
    } else if (begins(at + pos, "HLWALL0", 8)) {
      wall_clock = get64(at + pos + 12);
      pos += 12 + value;
    } else {
      break;
    }
  }
  pos = (pos + PAGE - 1) & ~(PAGE - 1);
  if (pos < size) {
    archive = (struct text){at + pos, size - pos};
    return;
  }
  mapped_archive = get64(at + size - 8);
  archive = (struct text){mapped_archive != 0 ? (const u8*)ARCHIVE : 0, mapped_archive};
}

void boot(struct peb* from_host, u64 seed, u64 page, u64 level) {
  const u64 first_gdt[3] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
  struct gate first_idt[15] = {0};
  (void)seed;
  first_idt[14] = gate_to(on_page_fault, 0);
  load_tables(&(struct table_register){sizeof first_gdt - 1, (u64)first_gdt},
              &(struct table_register){sizeof first_idt - 1, (u64)first_idt});
  __asm__ volatile("" : : : "memory");  // from here on low memory can be written
  const u64 task = (u64)task_state;
  gdt[1] = 0x00af9b000000ffff;
  gdt[2] = 0x00cf93000000ffff;
  gdt[3] = 0x67 | (task & 0xffffff) << 16 | 0x89UL << 40 | (task >> 24 & 0xff) << 56;
  gdt[4] = task >> 32;
  task_state[9] = (u32)FAULT_STACK;
  task_state[10] = (u32)(FAULT_STACK >> 32);
  for (u64 i = 0; i < 32; i++) {
    idt[i] = gate_to(exceptions + 16 * i, 1);
  }
  idt[14] = gate_to(on_page_fault, 1);
  load_tables(&(struct table_register){sizeof gdt - 1, (u64)gdt},
              &(struct table_register){sizeof idt - 1, (u64)idt});
  load_task_register();
  peb = from_host;
  page_size = page;
  log_level = level;
  read_init_data();
  print("g1probe: booted\n");
}

// ---- buffer stacks

static int push(const struct area* stack, const u8* at, u64 size) {
  const u64 end = get64(stack->at);
  if (size + 8 > stack->size - end) {
    return 0;
  }
  memcpy(stack->at + end, at, size);
  put64(stack->at + end + size, end);
  put64(stack->at, end + size + 8);
  return 1;
}
// Stays where it is until the next push.
static const u8* pop(const struct area* stack) {
  const u64 end = get64(stack->at);
  if (end < 16) {
    return 0;
  }
  const u64 start = get64(stack->at + end - 8);
  put64(stack->at, start);
  return stack->at + start;
}

// ---- messages: tables with their fields by slot

static const u8* field(const u8* table, u32 slot) {
  const u8* const slots = table - (int)get32(table);
  const u32 offset = slot + 2 > get16(slots) ? 0 : get16(slots + slot);
  return offset != 0 ? table + offset : 0;
}
static const u8* reference(const u8* table, u32 slot) {
  const u8* const at = field(table, slot);
  return at != 0 ? at + get32(at) : 0;
}
static u8 byte_field(const u8* table, u32 slot) {
  const u8* const at = field(table, slot);
  return at != 0 ? *at : 0;
}
static struct text vector_at(const u8* at) {
  return (struct text){at + 4, get32(at)};
}
static const u8* root_of(const u8* message) {
  return message + 4 + get32(message + 4);
}

// A call of a host function with one parameter, in `frame`. Its size; 0: too large.
static u64 write_call(struct text name, u8 result, u8 tag, struct text argument) {
  static const u8 head[36] = {0, 0, 0,  0, 16, 0, 0, 0, 12, 0, 16, 0, 8, 0, 12, 0, 6, 0,
                              7, 0, 12, 0, 0,  0, 0, 0, 2,  9, 8,  0, 0, 0, 0,  0, 0, 0};
  static const u8 parameter[44] = {1, 0, 0, 0, 12, 0, 0, 0, 8, 0,  14, 0, 7, 0, 8,
                                   0, 8, 0, 0, 0,  0, 0, 0, 9, 12, 0,  0, 0, 0, 0,
                                   6, 0, 8, 0, 4,  0, 6, 0, 0, 0,  4,  0, 0, 0};
  const u64 at = 40 + ((name.size + 1 + 3) & ~3UL);
  const u64 end = at + 48 + ((argument.size + (tag == kString) + 3) & ~3UL);
  if (end > sizeof frame) {
    return 0;
  }
  memset(frame, 0, end);
  put32(frame, (u32)(end - 4));
  memcpy(frame + 4, head + 4, sizeof head - 4);
  frame[27] = result;
  put32(frame + 32, (u32)(at - 32));
  put32(frame + 36, (u32)name.size);
  memcpy(frame + 40, name.at, name.size);
  memcpy(frame + at, parameter, sizeof parameter);
  frame[at + 23] = tag;
  put32(frame + at + 44, (u32)argument.size);
  memcpy(frame + at + 48, argument.at, argument.size);
  return end;
}
static void show_error(const u8* error) {
  const u8* const code = field(error, 4);
  const u8* const message = reference(error, 6);
  print("GuestError ");
  print_decimal(code != 0 ? get64(code) : 0);
  print(": ");
  if (message != 0) {
    show(vector_at(message));
  }
}
static void show_value(const u8* box) {
  const u8 tag = byte_field(box, 4);
  const u8* const value = reference(box, 6);
  if (tag == kBytesResult || tag == kString) {
    const u8* const data = reference(value, tag == kString ? 4 : 6);
    if (data != 0) {
      show(vector_at(data));
    }
    return;
  }
  const u8* const number = field(value, 4);
  const int is_long = tag == 3 || tag == 4 || tag == 6;
  print("value tag ");
  print_decimal(tag);
  print_hex(" = ", number == 0 ? 0 : is_long ? get64(number) : tag == 8 ? *number : get32(number));
}
static void call_host(struct text name, u8 result, u8 tag, struct text argument) {
  const u64 size = write_call(name, result, tag, argument);
  if (size == 0 || !push(&peb->output, frame, size)) {
    print("! request does not fit in the output buffer\n");
    return;
  }
  out32(kPortCall, 0);
  const u8* const answer = pop(&peb->input);
  print("< ");
  if (answer == 0) {
    print("(nothing on the input stack)\n");
    return;
  }
  const u8* const root = root_of(answer);
  const u8 kind = byte_field(root, 4);
  if (kind == 1) {
    show_value(reference(root, 6));
  } else if (kind == 2) {
    show_error(reference(root, 6));
  } else {
    print("result type ");
    print_decimal(kind);
  }
  print("\n");
}

// ---- the script

// The number at *at; behind it and its blanks afterwards.
static u64 number(const u8** at) {
  const u64 base = (*at)[0] == '0' && (*at)[1] == 'x' ? 16 : 10;
  u64 value = 0;
  for (*at += base == 16 ? 2 : 0;; ++*at) {
    const u8 letter = **at | 32;
    const u64 digit = letter >= 'a' ? letter - 'a' + 10UL : letter - '0' + 0UL;
    if (**at < '0' || (**at > '9' && letter < 'a') || digit >= base) {
      break;
    }
    value = value * base + digit;
  }
  while (**at == ' ') {
    ++*at;
  }
  return value;
}
// `from` in `line`, with what stands for letters; its size.
static u64 expand(struct text from) {
  u64 size = 0;
  for (u64 i = 0; i < from.size && size < sizeof line - 1;) {
    if (i + 4 >= from.size || !begins(from.at + i, "@@", 2)) {
      line[size++] = from.at[i++];
      continue;
    }
    const u8* behind = from.at + i + 2;
    for (u64 left = number(&behind); left > 0 && size < sizeof line - 1; left--) {
      line[size++] = 'A';
    }
    i = (u64)(behind - from.at) + 2;
  }
  line[size] = 0;
  return size;
}
static void show_mounts(void) {
  const u8* at = peb->init_data.at + mounts_at;
  print(" mounts ");
  print_decimal(mount_count);
  for (u64 i = 0; i < mount_count; i++) {
    const struct text path = vector_at(at);
    print(" [");
    print_bytes(path.at, path.size);
    print("]");
    at += 4 + path.size + 1;
  }
}
static void show_boot(void) {
  print_hex("PEB input ", peb->input.size);
  print_hex(" output ", peb->output.size);
  print_hex(" heap ", peb->heap.size);
  print_hex(" at ", (u64)peb->heap.at);
  print_hex(" init_data ", peb->init_data.size);
  print_hex(" at ", (u64)peb->init_data.at);
  print_hex("\ninput at ", (u64)peb->input.at);
  print_hex(" scratch ", WORD(kScratchSize));
  print_hex(" pt ", WORD(kPageTables));
  print_hex(" generation ", WORD(kGeneration));
  print_hex(" page ", page_size);
  print_hex(" log level ", log_level);
  print("\ncmdline ");
  if (has_arguments) {
    print("[");
    show(arguments);
    print("]");
  } else {
    print("none");
  }
  show_mounts();
  const u64 in_2023 = 1700000000000000000UL;
  print(wall_clock > in_2023 ? " wall clock set"
        : wall_clock != 0    ? " wall clock odd"
                             : " no wall clock");
  print(archive.at == (u8*)ARCHIVE             ? " archive mapped "
        : archive.at != 0 && archive.size != 0 ? " archive inline "
                                               : " archive none ");
  print_decimal(archive.size);
  print("\n");
}
static u64 hex_field(const u8* at) {
  u64 value = 0;
  for (int i = 0; i < 8; i++) {
    value = value * 16 + (at[i] <= '9' ? at[i] - '0' : (at[i] | 32) - 'a' + 10);
  }
  return value;
}
// The archive's file `script`.
static struct text find_script(void) {
  const u8* at = archive.at;
  while (at != 0 && at + 110 <= archive.at + archive.size && begins(at, "070701", 6)) {
    const u64 size = hex_field(at + 54), name_size = hex_field(at + 94);
    const u8* const data = at + ((110 + name_size + 3) & ~3UL);
    if (name_size == sizeof "script" && begins(at + 110, "script", 6)) {
      return (struct text){data, size};
    }
    at = data + ((size + 3) & ~3UL);
  }
  return (struct text){0, 0};
}
static void call_command(struct text rest) {
  struct text name = {rest.at, 0};
  while (name.at[name.size] > ' ') {
    name.size++;
  }
  const u8* at = name.at + name.size + 1;
  const u8 tag = (u8)number(&at), result = (u8)number(&at);
  print("> ");
  print_bytes(name.at, name.size);
  print(" tag ");
  print_decimal(tag);
  print(" ret ");
  print_decimal(result);
  print("\n");
  call_host(name, result, tag, (struct text){at, (u64)(rest.at + rest.size - at)});
}
static u64 counter_now(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return low | (u64)high << 32;
}
static void machine_command(u8 command, const u8* at) {
  const u64 first = number(&at), second = number(&at);
  if (command == 'O' || command == 'o') {
    command == 'O' ? out32((u16)first, (u32)second) : out8((u16)first, (u8)second);
    print("out done\n");
  } else if (command == 'R') {
    print_hex("", *(volatile u64*)first);
    print("\n");
  } else {
    *(volatile u8*)first = (u8)second;
    print("written\n");
  }
}
// The error that ends the call, or -1.
static int run_command(struct text command) {
  const u64 size = expand(command);
  const struct text rest = {line + (size > 1 ? 2 : size), size > 1 ? size - 2 : 0};
  const u8* at = rest.at;
  switch (line[0]) {
    case 'J':
      print("> ");
      show(rest);
      print("\n");
      call_host((struct text){(const u8*)"__dispatch", 10}, 9, kBytes, rest);
      break;
    case 'C':
      call_command(rest);
      break;
    case 'E':
      print_bytes(rest.at, rest.size);
      print("\n");
      break;
    case 'I':
      show_boot();
      break;
    case 'N':
      print("counter ");
      print_decimal(++counter);
      print("\n");
      break;
    case 'T':
      print("time ");
      print_decimal((wall_clock + counter_now() * 2 / 5) / 1000000000);
      print("\n");
      break;
    case 'A': {
      const u8 code = (u8)number(&at), kind = (u8)number(&at);
      abort_with(code, kind, (struct text){at, (u64)(line + size - at)});
    }
    case 'O':
    case 'o':
    case 'R':
    case 'W':
      machine_command(line[0], at);
      break;
    case 'U':
      __asm__ volatile("ud2");
      break;
    case 'S':
      for (;;) {
        __asm__ volatile("pause");
      }
    case 'X':
      return (int)number(&at);
    case '#':
    case 0:
      break;
    default:
      print("? ");
      show((struct text){line, size});
      print("\n");
  }
  return -1;
}
static int run_script(struct text script) {
  int error = -1;
  for (u64 start = 0; start < script.size && error < 0;) {
    u64 end = start;
    while (end < script.size && script.at[end] != '\n') {
      end++;
    }
    error = run_command((struct text){script.at + start, end - start});
    start = end + 1;
  }
  return error;
}

// ---- calls of the host's

// Its one string; none: no bytes anywhere.
static struct text string_of(const u8* call) {
  const u8* const parameters = reference(call, 6);
  if (parameters == 0 || get32(parameters) == 0) {
    return (struct text){0, 0};
  }
  const u8* const first = parameters + 4 + get32(parameters + 4);
  const u8* const string = byte_field(first, 4) == kString ? reference(reference(first, 6), 4) : 0;
  return string != 0 ? vector_at(string) : (struct text){0, 0};
}
// What was asked for, of the call; the script that it brings.
static struct text read_call(const u8* call) {
  memcpy(request, call, 4 + get32(call));
  const u8* const root = root_of(request);
  const struct text name = vector_at(reference(root, 4));
  const u8* const parameters = reference(root, 6);
  print("call ");
  print_bytes(name.at, name.size);
  print(" type ");
  print_decimal(byte_field(root, 8));
  print(" returns ");
  print_decimal(byte_field(root, 10));
  print(" params ");
  print_decimal(parameters != 0 ? get32(parameters) : 0);
  print("\n");
  return string_of(root);
}
static void answer(int error) {
  static const u8 done[48] = {44, 0, 0, 0, 4, 0, 0,  0, 0xf4, 0xff, 0xff, 0xff, 0, 0, 0, 1,
                              12, 0, 0, 0, 8, 0, 12, 0, 7,    0,    8,    0,    8, 0, 0, 0,
                              0,  0, 0, 9, 8, 0, 0,  0, 4,    0,    4,    0,    4, 0, 0, 0};
  static const u8 failed[64] = {60, 0, 0,  0, 16, 0, 0, 0, 0, 0, 0, 0, 8,   0,   12, 0,
                                7,  0, 8,  0, 8,  0, 0, 0, 0, 0, 0, 2, 12,  0,   0,  0,
                                8,  0, 16, 0, 8,  0, 4, 0, 8, 0, 0, 0, 12,  0,   0,  0,
                                17, 0, 0,  0, 0,  0, 0, 0, 2, 0, 0, 0, 'n', 'o', 0,  0};
  if (error < 0) {
    push(&peb->output, done, sizeof done);
    return;
  }
  memcpy(frame, failed, sizeof failed);
  put64(frame + 48, (u64)error);
  push(&peb->output, frame, sizeof failed);
}
void serve_call(void) {
  static const char own[] = "I\nJ {\"name\":\"nope\"}\n";
  const u8* const call = pop(&peb->input);
  struct text script = {0, 0};
  if (call != 0) {
    script = read_call(call);
  }
  if (script.at != 0) {
    print("text [");
    show(script);
    print("] counter ");
    print_decimal(++counter);
    print("\n");
    script = script.size > 0 && *script.at == '!' ? (struct text){script.at + 1, script.size - 1}
                                                  : (struct text){script.at, 0};
  } else {
    script = find_script();
  }
  answer(run_script(script.at != 0 ? script : (struct text){(const u8*)own, sizeof own - 1}));
}
