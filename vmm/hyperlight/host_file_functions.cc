// SPDX-License-Identifier: Apache-2.0
// The fs_* functions: names and types of the contract, nothing else.
#include "hyperlight/host_files.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kChunkG2 = 32768, kChunkG3 = 65536;

void add_reading(HostFunctions* functions, const HostFiles* files) {
  functions->add({"fs_stat", "is", 'v', [files](const Arguments& a) -> Result<Value> {
                    return files->stat(a.integer(0), a.string(1));
                  }});
  functions->add({"fs_read_bytes", "isUU", 'v', [files](const Arguments& a) -> Result<Value> {
                    return files->read(a.integer(0), a.string(1), a.ulong(2), a.ulong(3));
                  }});
  functions->add({"fs_list", "is", 'v', [files](const Arguments& a) -> Result<Value> {
                    return files->list(a.integer(0), a.string(1));
                  }});
  functions->add({"fs_readlink", "is", 'v', [files](const Arguments& a) -> Result<Value> {
                    return files->read_link(a.integer(0), a.string(1));
                  }});
}

void add_writing(HostFunctions* functions, const HostFiles* files) {
  functions->add({"fs_write_bytes", "isUiv", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->write(a.integer(0), a.string(1), a.ulong(2), a.integer(3) != 0,
                                        a.bytes(4));
                  }});
  functions->add({"fs_truncate", "isU", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->truncate(a.integer(0), a.string(1), a.ulong(2));
                  }});
  functions->add({"fs_chmod", "isi", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->change_mode(a.integer(0), a.string(1), a.integer(2));
                  }});
  functions->add({"fs_set_times", "isilili", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->set_times(
                        a.integer(0), a.string(1),
                        {a.integer(2), a.slong(3), a.slong(5), a.integer(4), a.integer(6)});
                  }});
}

void add_names(HostFunctions* functions, const HostFiles* files) {
  functions->add({"fs_mkdir", "is", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->make_directory(a.integer(0), a.string(1));
                  }});
  functions->add({"fs_unlink", "is", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->unlink(a.integer(0), a.string(1));
                  }});
  functions->add({"fs_rename", "iss", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->rename(a.integer(0), a.string(1), a.string(2));
                  }});
  functions->add({"fs_link", "iss", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->link(a.integer(0), a.string(1), a.string(2));
                  }});
  functions->add({"fs_symlink", "iss", 'i', [files](const Arguments& a) -> Result<Value> {
                    return files->make_symlink(a.integer(0), a.string(1), a.string(2));
                  }});
}

}  // namespace

void add_file_functions(HostFunctions* functions, Generation generation, const HostFiles* files) {
  const std::uint64_t chunk = generation == Generation::G2 ? kChunkG2 : kChunkG3;
  functions->add({"GetHostFsChunkSize", "", 'U',
                  [chunk](const Arguments&) -> Result<Value> { return chunk; }});
  functions->add({"GetMounts", "", 's',
                  [files](const Arguments&) -> Result<Value> { return files->table(); }});
  add_reading(functions, files);
  add_writing(functions, files);
  add_names(functions, files);
}

}  // namespace runhl::vmm::hyperlight
