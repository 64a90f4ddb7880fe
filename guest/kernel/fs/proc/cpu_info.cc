// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/cpu_info.h"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace runhl::kernel {
namespace {

struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// Zeros where the processor has no such leaf.
Registers leaf(std::uint32_t number, std::uint32_t sub = 0) {
  Registers r;
  __cpuid(number & 0x8000'0000U, r.eax, r.ebx, r.ecx, r.edx);
  if (r.eax < number) {
    return {};
  }
  __cpuid_count(number, sub, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}

enum class Source : std::uint8_t { Edx1, Edx81, Ecx1, Ecx81, Eax13, Ebx7, Ebx88, Ecx7, Edx7 };

struct Feature {
  Source source;
  std::uint8_t bit;
  std::string_view name;
};

// Names and order of Linux's arch/x86/include/asm/cpufeatures.h, for what CPUID alone decides.
// fsgsbase is not told: %gs is the kernel's.
constexpr Feature kFeatures[] = {
    {Source::Edx1, 0, "fpu"},
    {Source::Edx1, 1, "vme"},
    {Source::Edx1, 2, "de"},
    {Source::Edx1, 3, "pse"},
    {Source::Edx1, 4, "tsc"},
    {Source::Edx1, 5, "msr"},
    {Source::Edx1, 6, "pae"},
    {Source::Edx1, 7, "mce"},
    {Source::Edx1, 8, "cx8"},
    {Source::Edx1, 9, "apic"},
    {Source::Edx1, 11, "sep"},
    {Source::Edx1, 12, "mtrr"},
    {Source::Edx1, 13, "pge"},
    {Source::Edx1, 14, "mca"},
    {Source::Edx1, 15, "cmov"},
    {Source::Edx1, 16, "pat"},
    {Source::Edx1, 17, "pse36"},
    {Source::Edx1, 19, "clflush"},
    {Source::Edx1, 23, "mmx"},
    {Source::Edx1, 24, "fxsr"},
    {Source::Edx1, 25, "sse"},
    {Source::Edx1, 26, "sse2"},
    {Source::Edx1, 27, "ss"},
    {Source::Edx1, 28, "ht"},
    {Source::Edx81, 11, "syscall"},
    {Source::Edx81, 20, "nx"},
    {Source::Edx81, 22, "mmxext"},
    {Source::Edx81, 25, "fxsr_opt"},
    {Source::Edx81, 26, "pdpe1gb"},
    {Source::Edx81, 27, "rdtscp"},
    {Source::Edx81, 29, "lm"},
    {Source::Ecx1, 0, "pni"},
    {Source::Ecx1, 1, "pclmulqdq"},
    {Source::Ecx1, 9, "ssse3"},
    {Source::Ecx1, 12, "fma"},
    {Source::Ecx1, 13, "cx16"},
    {Source::Ecx1, 17, "pcid"},
    {Source::Ecx1, 19, "sse4_1"},
    {Source::Ecx1, 20, "sse4_2"},
    {Source::Ecx1, 21, "x2apic"},
    {Source::Ecx1, 22, "movbe"},
    {Source::Ecx1, 23, "popcnt"},
    {Source::Ecx1, 24, "tsc_deadline_timer"},
    {Source::Ecx1, 25, "aes"},
    {Source::Ecx1, 26, "xsave"},
    {Source::Ecx1, 28, "avx"},
    {Source::Ecx1, 29, "f16c"},
    {Source::Ecx1, 30, "rdrand"},
    {Source::Ecx1, 31, "hypervisor"},
    {Source::Ecx81, 0, "lahf_lm"},
    {Source::Ecx81, 1, "cmp_legacy"},
    {Source::Ecx81, 4, "cr8_legacy"},
    {Source::Ecx81, 5, "abm"},
    {Source::Ecx81, 6, "sse4a"},
    {Source::Ecx81, 7, "misalignsse"},
    {Source::Ecx81, 8, "3dnowprefetch"},
    {Source::Ecx81, 9, "osvw"},
    {Source::Ecx81, 22, "topoext"},
    {Source::Ebx7, 1, "tsc_adjust"},
    {Source::Ebx7, 3, "bmi1"},
    {Source::Ebx7, 5, "avx2"},
    {Source::Ebx7, 7, "smep"},
    {Source::Ebx7, 8, "bmi2"},
    {Source::Ebx7, 9, "erms"},
    {Source::Ebx7, 10, "invpcid"},
    {Source::Ebx7, 16, "avx512f"},
    {Source::Ebx7, 17, "avx512dq"},
    {Source::Ebx7, 18, "rdseed"},
    {Source::Ebx7, 19, "adx"},
    {Source::Ebx7, 20, "smap"},
    {Source::Ebx7, 21, "avx512ifma"},
    {Source::Ebx7, 23, "clflushopt"},
    {Source::Ebx7, 24, "clwb"},
    {Source::Ebx7, 28, "avx512cd"},
    {Source::Ebx7, 29, "sha_ni"},
    {Source::Ebx7, 30, "avx512bw"},
    {Source::Ebx7, 31, "avx512vl"},
    {Source::Eax13, 0, "xsaveopt"},
    {Source::Eax13, 1, "xsavec"},
    {Source::Eax13, 2, "xgetbv1"},
    {Source::Eax13, 3, "xsaves"},
    {Source::Ebx88, 0, "clzero"},
    {Source::Ebx88, 2, "xsaveerptr"},
    {Source::Ebx88, 9, "wbnoinvd"},
    {Source::Ecx7, 1, "avx512vbmi"},
    {Source::Ecx7, 2, "umip"},
    {Source::Ecx7, 3, "pku"},
    {Source::Ecx7, 4, "ospke"},
    {Source::Ecx7, 6, "avx512_vbmi2"},
    {Source::Ecx7, 8, "gfni"},
    {Source::Ecx7, 9, "vaes"},
    {Source::Ecx7, 10, "vpclmulqdq"},
    {Source::Ecx7, 11, "avx512_vnni"},
    {Source::Ecx7, 12, "avx512_bitalg"},
    {Source::Ecx7, 14, "avx512_vpopcntdq"},
    {Source::Ecx7, 22, "rdpid"},
    {Source::Edx7, 4, "fsrm"},
};

class FeatureWords {
 public:
  FeatureWords()
      : one_(leaf(1)),
        extended_(leaf(0x8000'0001)),
        seven_(leaf(7)),
        xsave_(leaf(13, 1)),
        eight_(leaf(0x8000'0008)) {}

  [[nodiscard]] bool has(const Feature& feature) const {
    return (word(feature.source) >> feature.bit & 1) != 0;
  }

 private:
  [[nodiscard]] std::uint32_t word(Source source) const {
    switch (source) {
      case Source::Edx1:
        return one_.edx;
      case Source::Edx81:
        return extended_.edx;
      case Source::Ecx1:
        return one_.ecx;
      case Source::Ecx81:
        return extended_.ecx;
      case Source::Eax13:
        return xsave_.eax;
      case Source::Ebx7:
        return seven_.ebx;
      case Source::Ebx88:
        return eight_.ebx;
      case Source::Ecx7:
        return seven_.ecx;
      case Source::Edx7:
        return seven_.edx;
    }
    return 0;
  }
  Registers one_, extended_, seven_, xsave_, eight_;
};

std::uint64_t cache_kib() {
  // As Linux prints it: the last level that a core has to itself.
  const Registers l2 = leaf(0x8000'0006);
  return l2.ecx >> 16;
}

}  // namespace

CpuIdentity cpu_identity() {
  CpuIdentity id;
  const Registers zero = leaf(0);
  id.highest_leaf = zero.eax;
  std::memcpy(id.vendor, &zero.ebx, 4);
  std::memcpy(id.vendor + 4, &zero.edx, 4);
  std::memcpy(id.vendor + 8, &zero.ecx, 4);
  const Registers one = leaf(1);
  id.stepping = one.eax & 15;
  id.model = one.eax >> 4 & 15;
  id.family = one.eax >> 8 & 15;
  // Intel SDM vol. 2A, CPUID: the extended fields count for these families.
  if (id.family == 6 || id.family == 15) {
    id.model |= one.eax >> 12 & 0xf0;
  }
  if (id.family == 15) {
    id.family += one.eax >> 20 & 0xff;
  }
  id.cache_line = (one.ebx >> 8 & 0xff) * 8;
  for (std::uint32_t part = 0; part < 3; ++part) {
    const Registers name = leaf(0x8000'0002 + part);
    std::memcpy(id.model_name + std::size_t{part} * 16, &name, 16);
  }
  if (const Registers sizes = leaf(0x8000'0008); sizes.eax != 0) {
    id.physical_bits = sizes.eax & 0xff;
    id.virtual_bits = sizes.eax >> 8 & 0xff;
  }
  return id;
}

CpuCache cpu_cache(std::uint32_t index) {
  const bool amd = leaf(0).ebx == 0x6874'7541;  // "Auth"
  const Registers r = leaf(amd ? 0x8000'001d : 4, index);
  CpuCache cache;
  cache.type = (r.eax & 31) <= 3 ? static_cast<CacheType>(r.eax & 31) : CacheType::None;
  cache.level = r.eax >> 5 & 7;
  cache.line = (r.ebx & 0xfff) + 1;
  cache.partitions = (r.ebx >> 12 & 0x3ff) + 1;
  cache.ways = (r.ebx >> 22) + 1;
  cache.sets = r.ecx + 1;
  return cache;
}

void write_cpu_info(TextWriter& out, std::uint32_t cpus, std::uint64_t khz) {
  const CpuIdentity id = cpu_identity();
  const FeatureWords words;
  std::string_view model(id.model_name);
  model.remove_prefix(std::min(model.find_first_not_of(' '), model.size()));
  model = model.substr(0, model.find_last_not_of(' ') + 1);
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    out.add("processor\t: ", cpu, "\nvendor_id\t: ", std::string_view(id.vendor),
            "\ncpu family\t: ", id.family, "\nmodel\t\t: ", id.model, "\nmodel name\t: ", model,
            "\nstepping\t: ", id.stepping, "\nmicrocode\t: 0xffffffff\n");
    const std::uint64_t fraction = khz % 1000;
    out.add("cpu MHz\t\t: ", khz / 1000, '.', fraction < 100 ? "0" : "", fraction < 10 ? "0" : "",
            fraction, "\ncache size\t: ", cache_kib(), " KB\nphysical id\t: 0\nsiblings\t: ", cpus,
            "\ncore id\t\t: ", cpu, "\ncpu cores\t: ", cpus, "\napicid\t\t: ", cpu,
            "\ninitial apicid\t: ", cpu,
            "\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: ", id.highest_leaf,
            "\nwp\t\t: yes\nflags\t\t:");
    for (const Feature& feature : kFeatures) {
      if (words.has(feature)) {
        out.add(' ', feature.name);
      }
    }
    out.add("\nbugs\t\t:\nbogomips\t: ", Hundredths{.value = khz / 5},
            "\nclflush size\t: ", id.cache_line, "\ncache_alignment\t: ", id.cache_line,
            "\naddress sizes\t: ", id.physical_bits, " bits physical, ", id.virtual_bits,
            " bits virtual\npower management:\n\n");
  }
}

}  // namespace runhl::kernel
