// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/codec.h"

#include <message_generated.h>

#include <array>
#include <cstring>
#include <utility>

#include "runhl/abi/hyperlight.h"
#include "runhl/base/one_line.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace wire = abi::hyperlight;

constexpr std::size_t kPrefix = sizeof(std::uint32_t);
constexpr flatbuffers::uoffset_t kMaxDepth = 16;
constexpr flatbuffers::uoffset_t kMaxTables = 256;
constexpr std::size_t kMaxParameters = 16;

tl::unexpected<Error> malformed() {
  return fail(ErrorCode::InvalidArgument, "a message of the guest's that is malformed");
}

/// The message and the bytes behind it.
struct Split {
  std::span<const std::byte> message, external;
};

Result<Split> split(std::span<const std::byte> payload) {
  std::uint32_t size = 0;
  if (payload.size() < kPrefix) {
    return malformed();
  }
  std::memcpy(&size, payload.data(), kPrefix);
  if (size > payload.size() - kPrefix) {
    return malformed();
  }
  return Split{payload.first(kPrefix + size), payload.subspan(kPrefix + size)};
}

const std::uint8_t* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

/// `message` verified, or null.
template <typename Root>
const Root* verified(std::span<const std::byte> message) {
  flatbuffers::Verifier verifier(raw(message), message.size(), kMaxDepth, kMaxTables);
  return verifier.VerifySizePrefixedBuffer<Root>(nullptr)
             ? flatbuffers::GetSizePrefixedRoot<Root>(raw(message))
             : nullptr;
}

std::string text(const flatbuffers::String* string) {
  return string == nullptr ? std::string() : string->str();
}

Bytes bytes_of(const flatbuffers::Vector<std::uint8_t>* vector) {
  if (vector == nullptr) {
    return {};
  }
  const auto* const data = reinterpret_cast<const std::byte*>(vector->data());
  return {data, data + vector->size()};
}

/// Takes the next `length` bytes of `*external`.
Result<Bytes> take(std::uint64_t length, std::span<const std::byte>* external) {
  if (length > external->size()) {
    return malformed();
  }
  const std::span<const std::byte> taken = external->first(length);
  *external = external->subspan(length);
  return Bytes(taken.begin(), taken.end());
}

Result<Value> parameter(Generation generation, const wire::Parameter& from,
                        std::span<const std::byte>* external) {
  switch (from.value_type()) {
    case wire::ParameterValue::hlint:
      return from.value_as_hlint()->value();
    case wire::ParameterValue::hluint:
      return from.value_as_hluint()->value();
    case wire::ParameterValue::hllong:
      return from.value_as_hllong()->value();
    case wire::ParameterValue::hlulong:
      return from.value_as_hlulong()->value();
    case wire::ParameterValue::hlfloat:
      return from.value_as_hlfloat()->value();
    case wire::ParameterValue::hldouble:
      return from.value_as_hldouble()->value();
    case wire::ParameterValue::hlstring:
      return text(from.value_as_hlstring()->value());
    case wire::ParameterValue::hlbool:
      return from.value_as_hlbool()->value();
    case wire::ParameterValue::hlvecbytes:
      if (generation != Generation::G3) {
        return bytes_of(from.value_as_hlvecbytes()->value());
      }
      break;
    case wire::ParameterValue::hlexternalbytes:
      if (generation == Generation::G3) {
        return Value(TRY(take(from.value_as_hlexternalbytes()->length(), external)));
      }
      break;
    case wire::ParameterValue::NONE:
      break;
  }
  return malformed();
}

/// Of hyperlight's ErrorCode.
std::string error_name(std::uint64_t code) {
  constexpr std::array<std::string_view, 18> kNames = {"NoError",
                                                       "",
                                                       "UnsupportedParameterType",
                                                       "GuestFunctionNameNotProvided",
                                                       "GuestFunctionNotFound",
                                                       "GuestFunctionIncorrectNoOfParameters",
                                                       "DispatchFunctionPointerNotSet",
                                                       "OutbError",
                                                       "UnknownError",
                                                       "",
                                                       "GsCheckFailed",
                                                       "TooManyGuestFunctions",
                                                       "FailureInDlmalloc",
                                                       "MallocFailed",
                                                       "GuestFunctionParameterTypeMismatch",
                                                       "GuestError",
                                                       "ArrayLengthParamIsMissing",
                                                       "HostError"};
  return code < kNames.size() && !kNames[code].empty() ? std::string(kNames[code])
                                                       : std::to_string(code);
}

using Builder = flatbuffers::FlatBufferBuilder;

struct BoxedValue {
  wire::ReturnValue type = wire::ReturnValue::NONE;
  flatbuffers::Offset<void> offset;
};

/// The table of a returned value, in the order of Value's alternatives.
struct Boxer {
  Builder& builder;
  Generation generation;

  BoxedValue operator()(std::int32_t v) const {
    return {wire::ReturnValue::hlint, wire::Createhlint(builder, v).Union()};
  }
  BoxedValue operator()(std::uint32_t v) const {
    return {wire::ReturnValue::hluint, wire::Createhluint(builder, v).Union()};
  }
  BoxedValue operator()(std::int64_t v) const {
    return {wire::ReturnValue::hllong, wire::Createhllong(builder, v).Union()};
  }
  BoxedValue operator()(std::uint64_t v) const {
    return {wire::ReturnValue::hlulong, wire::Createhlulong(builder, v).Union()};
  }
  BoxedValue operator()(float v) const {
    return {wire::ReturnValue::hlfloat, wire::Createhlfloat(builder, v).Union()};
  }
  BoxedValue operator()(double v) const {
    return {wire::ReturnValue::hldouble, wire::Createhldouble(builder, v).Union()};
  }
  BoxedValue operator()(const std::string& v) const {
    const auto string = builder.CreateString(v);
    return {wire::ReturnValue::hlstring, wire::Createhlstring(builder, string).Union()};
  }
  BoxedValue operator()(bool v) const {
    return {wire::ReturnValue::hlbool, wire::Createhlbool(builder, v).Union()};
  }
  BoxedValue operator()(const Bytes& v) const {
    if (generation == Generation::G3) {
      return {wire::ReturnValue::hlexternalbytes,
              wire::Createhlexternalbytes(builder, v.size()).Union()};
    }
    const auto vector = builder.CreateVector(raw(v), v.size());
    return {wire::ReturnValue::hlsizeprefixedbuffer,
            wire::Createhlsizeprefixedbuffer(builder, static_cast<std::int32_t>(v.size()), vector)
                .Union()};
  }
  BoxedValue operator()(const Void& /*v*/) const {
    return {wire::ReturnValue::hlvoid, wire::Createhlvoid(builder).Union()};
  }
};

Bytes finish(Builder* builder, flatbuffers::Offset<void> root) {
  builder->FinishSizePrefixed(root);
  const auto* const data = reinterpret_cast<const std::byte*>(builder->GetBufferPointer());
  return {data, data + builder->GetSize()};
}

Bytes finish_result(Builder* builder, wire::CallResult type, flatbuffers::Offset<void> result) {
  return finish(builder, wire::CreateFunctionCallResult(*builder, type, result).Union());
}

}  // namespace

char letter_of(const Value& value) {
  constexpr std::array kLetters{'i', 'u', 'l', 'U', 'f', 'd', 's', 'b', 'v', '-'};
  static_assert(kLetters.size() == std::variant_size_v<Value>);
  return kLetters[value.index()];
}

Result<Call> decode_call(Generation generation, std::span<const std::byte> payload) {
  const Split parts = TRY(split(payload));
  const auto* const from = verified<wire::FunctionCall>(parts.message);
  if (from == nullptr || from->function_call_type() != wire::CallType::host) {
    return malformed();
  }
  Call call;
  call.name = text(from->function_name());
  std::span<const std::byte> external = parts.external;
  if (from->parameters() != nullptr) {
    if (from->parameters()->size() > kMaxParameters) {
      return malformed();
    }
    for (const wire::Parameter* one : *from->parameters()) {
      call.parameters.push_back(TRY(parameter(generation, *one, &external)));
    }
  }
  if (!external.empty()) {
    return malformed();
  }
  return call;
}

Result<void> decode_result(Generation generation, std::span<const std::byte> payload) {
  const Split parts = TRY(split(payload));
  const auto* const from = verified<wire::FunctionCallResult>(parts.message);
  if (from == nullptr || (generation != Generation::G3 && !parts.external.empty())) {
    return malformed();
  }
  if (const wire::GuestError* error = from->result_as_GuestError()) {
    return fail(ErrorCode::GuestFault, "Guest error occurred " + error_name(error->code()) + ": " +
                                           one_line(text(error->message())));
  }
  return from->result_as_ReturnValueBox() == nullptr ? malformed() : Result<void>{};
}

Result<LogRecord> decode_log(std::span<const std::byte> payload) {
  const Split parts = TRY(split(payload));
  const auto* const from = verified<wire::GuestLogData>(parts.message);
  if (from == nullptr || !parts.external.empty()) {
    return malformed();
  }
  return LogRecord{text(from->message()), text(from->source()), from->level()};
}

Bytes encode_result(Generation generation, const Value& value) {
  Builder builder;
  const BoxedValue boxed = std::visit(Boxer{builder, generation}, value);
  const auto box = wire::CreateReturnValueBox(builder, boxed.type, boxed.offset);
  Bytes payload = finish_result(&builder, wire::CallResult::ReturnValueBox, box.Union());
  const Bytes* const external = std::get_if<Bytes>(&value);
  if (external != nullptr && generation == Generation::G3) {
    payload.insert(payload.end(), external->begin(), external->end());
  }
  return payload;
}

Bytes encode_error(std::string_view text) {
  Builder builder;
  const auto message = builder.CreateString(text.data(), text.size());
  const auto error = wire::CreateGuestError(builder, wire::kErrorHost, message);
  return finish_result(&builder, wire::CallResult::GuestError, error.Union());
}

Bytes encode_call(std::string_view name, std::span<const std::string_view> texts) {
  Builder builder;
  const auto function = builder.CreateString(name.data(), name.size());
  std::vector<flatbuffers::Offset<wire::Parameter>> boxed;
  for (const std::string_view text : texts) {
    const auto value =
        wire::Createhlstring(builder, builder.CreateString(text.data(), text.size()));
    boxed.push_back(wire::CreateParameter(builder, wire::ParameterValue::hlstring, value.Union()));
  }
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Parameter>>> parameters;
  if (!boxed.empty()) {
    parameters = builder.CreateVector(boxed);
  }
  const auto call = wire::CreateFunctionCall(builder, function, parameters, wire::CallType::guest,
                                             wire::ReturnType::hlvoid);
  return finish(&builder, call.Union());
}

}  // namespace runhl::vmm::hyperlight
