// SPDX-License-Identifier: Apache-2.0
// state.json as JSON and back.
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "runhl/shim/state_dir.h"

namespace runhl::shim {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr int kMaxDepth = 8;  // the writer nests four deep

json hooks_to_json(const std::vector<oci::Hook>& hooks) {
  json out = json::array();
  for (const oci::Hook& hook : hooks) {
    json item = {{"path", hook.path}, {"args", hook.args}, {"env", hook.env}};
    if (hook.timeout_seconds) {
      item["timeout"] = *hook.timeout_seconds;
    }
    out.push_back(std::move(item));
  }
  return out;
}

/// Reads members of one object; the first that is wrong is remembered, and named.
class Reader {
 public:
  Reader(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  void text(const char* key, std::string* out) { read<std::string>(key, out, &json::is_string); }
  void boolean(const char* key, bool* out) { read<bool>(key, out, &json::is_boolean); }
  void texts(const char* key, std::vector<std::string>* out) {
    const json* value = member(key, &json::is_array);
    if (value == nullptr) {
      return;
    }
    for (const json& item : *value) {
      if (!item.is_string()) {
        wrong(key);
        return;
      }
      out->push_back(item.get<std::string>());
    }
  }
  template <typename T>
  void number(const char* key, T* out) {
    const json* value = member(key, &json::is_number_integer);
    if (value == nullptr) {
      return;
    }
    // A negative one has no place in any field.
    if (!value->is_number_unsigned() ||
        value->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      wrong(key);
      return;
    }
    *out = static_cast<T>(value->get<std::uint64_t>());
  }
  void text_map(const char* key, std::map<std::string, std::string>* out) {
    const json* value = member(key, &json::is_object);
    if (value == nullptr) {
      return;
    }
    for (const auto& [name, item] : value->items()) {
      if (!item.is_string()) {
        wrong(key);
        return;
      }
      (*out)[name] = item.get<std::string>();
    }
  }
  void hooks(const char* key, std::vector<oci::Hook>* out) {
    const json* value = member(key, &json::is_array);
    if (value == nullptr) {
      return;
    }
    for (const json& item : *value) {
      Reader reader(item, where_ + "/" + key);
      oci::Hook hook;
      reader.text("path", &hook.path);
      reader.texts("args", &hook.args);
      reader.texts("env", &hook.env);
      if (item.is_object() && item.contains("timeout")) {
        int seconds = 0;
        reader.number("timeout", &seconds);
        hook.timeout_seconds = seconds;
      }
      if (!reader.error_.empty()) {
        error_ = reader.error_;
        return;
      }
      out->push_back(std::move(hook));
    }
  }
  template <typename F>
  void object(const char* key, F read_members) {
    const json* value = member(key, &json::is_object);
    if (value == nullptr) {
      return;
    }
    Reader reader(*value, where_ + "/" + key);
    read_members(reader);
    if (!reader.error_.empty()) {
      error_ = reader.error_;
    }
  }

  [[nodiscard]] Result<void> result() const {
    if (!error_.empty()) {
      return fail(ErrorCode::InvalidArgument, error_);
    }
    return {};
  }

 private:
  using Check = bool (json::*)() const noexcept;

  template <typename T>
  void read(const char* key, T* out, Check check) {
    if (const json* value = member(key, check); value != nullptr) {
      *out = value->get<T>();
    }
  }
  const json* member(const char* key, Check check) {
    if (!error_.empty()) {
      return nullptr;
    }
    const auto found = object_.is_object() ? object_.find(key) : object_.end();
    if (!object_.is_object() || found == object_.end() || !((*found).*check)()) {
      wrong(key);
      return nullptr;
    }
    return &*found;
  }
  void wrong(const char* key) { error_ = where_ + "/" + key + ": missing or of the wrong type"; }

  const json& object_;
  std::string where_;
  std::string error_;
};

Result<void> check_version(const json& document) {
  if (!document.is_object()) {
    return fail(ErrorCode::InvalidArgument, "not a complete state file");
  }
  const auto version = document.find("version");
  if (version == document.end() || !version->is_number_integer()) {
    return fail(ErrorCode::InvalidArgument, "/version: missing or of the wrong type");
  }
  if (*version != kVersion) {
    return fail(ErrorCode::Unsupported, "/version: written by another version of runhl (" +
                                            version->dump() + ", this one reads " +
                                            std::to_string(kVersion) + ")");
  }
  return {};
}

}  // namespace

std::string to_json(const ContainerState& state) {
  const json document = {
      {"version", kVersion},
      {"id", state.id},
      {"bundle", state.bundle},
      {"rootfs", state.rootfs},
      {"ociVersion", state.oci_version},
      {"isolation", state.isolation},
      {"created", state.created},
      {"owner", state.owner},
      {"monitor", {{"pid", state.monitor.pid}, {"startTime", state.monitor.start_time}}},
      {"annotations", json(state.annotations)},
      {"cgroups",
       {{"directories", state.cgroups.directories}, {"freezerFile", state.cgroups.freezer_file}}},
      {"poststart", hooks_to_json(state.poststart)},
      {"poststop", hooks_to_json(state.poststop)},
      {"facts", state.facts},
      {"startHooks", state.start_hooks},
  };
  // Paths may be any bytes; what is not UTF-8 is replaced, never thrown about.
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ContainerState> parse_state_json(std::string_view text) {
  const auto bounded = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json document = json::parse(text, bounded, /*allow_exceptions=*/false);
  TRY(check_version(document));
  ContainerState state;
  Reader reader(document, "");
  reader.text("id", &state.id);
  reader.text("bundle", &state.bundle);
  reader.text("rootfs", &state.rootfs);
  reader.text("ociVersion", &state.oci_version);
  reader.text("isolation", &state.isolation);
  reader.text("created", &state.created);
  reader.number("owner", &state.owner);
  reader.object("monitor", [&](Reader& monitor) {
    monitor.number("pid", &state.monitor.pid);
    monitor.number("startTime", &state.monitor.start_time);
  });
  reader.text_map("annotations", &state.annotations);
  reader.object("cgroups", [&](Reader& cgroups) {
    cgroups.texts("directories", &state.cgroups.directories);
    cgroups.text("freezerFile", &state.cgroups.freezer_file);
  });
  reader.hooks("poststart", &state.poststart);
  reader.hooks("poststop", &state.poststop);
  reader.texts("facts", &state.facts);
  if (document.contains("startHooks")) {  // not of a container that an older runhl made
    reader.boolean("startHooks", &state.start_hooks);
  }
  TRY(reader.result());
  return state;
}

std::string exited_line(int code) {
  return "exited " + std::to_string(code) + "\n";
}

Result<Progress> parse_progress(std::string_view text) {
  if (text.empty()) {
    return Progress{};
  }
  if (text == kCreatedLine) {
    return Progress{.created = true, .started = false, .exit_code = std::nullopt};
  }
  if (text == kStartedLine) {
    return Progress{.created = true, .started = true, .exit_code = std::nullopt};
  }
  constexpr std::string_view kPrefix = "exited ";
  if (text.starts_with(kPrefix) && text.ends_with('\n')) {
    text.remove_prefix(kPrefix.size());
    text.remove_suffix(1);
    int code = 0;
    constexpr int kMaxCode = 255;
    if (const auto parsed = std::from_chars(text.begin(), text.end(), code);
        parsed.ec == std::errc() && parsed.ptr == text.end() && code >= 0 && code <= kMaxCode) {
      return Progress{.created = true, .started = true, .exit_code = code};
    }
  }
  return fail(ErrorCode::InvalidArgument, "neither empty, created, started nor exited");
}

}  // namespace runhl::shim
