// SPDX-License-Identifier: Apache-2.0
#include <snapshot_generated.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runhl/vmm/hyperlight/signatures.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace wire = abi::hyperlight;

constexpr flatbuffers::uoffset_t kMaxDepth = 8;
constexpr flatbuffers::uoffset_t kMaxTables = 1024;
constexpr std::size_t kMaxParameters = 64;

// Both enumerations, in their order.
constexpr std::string_view kParameterLetters = "iulUfdsbv", kResultLetters = "iulUfdsb-v";

tl::unexpected<Error> malformed() {
  return fail(ErrorCode::InvalidArgument, "a list of host functions that is malformed");
}

template <typename Type>
Type type_of(std::string_view letters, char letter) {
  const std::size_t at = letters.find(letter);
  RUNHL_CHECK(at != std::string_view::npos);  // no function of ours has another
  return static_cast<Type>(at);
}

template <typename Type>
Result<char> letter_of(std::string_view letters, Type type) {
  const auto at = static_cast<std::size_t>(type);
  return at < letters.size() ? Result<char>(letters[at]) : malformed();
}

Result<Signature> signature_of(const wire::HostFunctionDefinition& from) {
  Signature function;
  function.name = from.function_name()->str();
  const auto* const parameters = from.parameters();
  const std::size_t count = parameters == nullptr ? 0 : parameters->size();
  if (count > kMaxParameters) {
    return malformed();
  }
  for (flatbuffers::uoffset_t i = 0; i < count; ++i) {
    function.parameters += TRY(letter_of(kParameterLetters, parameters->Get(i)));
  }
  function.result = TRY(letter_of(kResultLetters, from.return_type()));
  return function;
}

}  // namespace

std::string encode_signatures(std::span<const Signature> functions) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::HostFunctionDefinition>> list;
  for (const Signature& function : functions) {
    std::vector<wire::ParameterType> parameters;
    for (const char letter : function.parameters) {
      parameters.push_back(type_of<wire::ParameterType>(kParameterLetters, letter));
    }
    list.push_back(wire::CreateHostFunctionDefinitionDirect(
        builder, function.name.c_str(), &parameters,
        type_of<wire::ResultType>(kResultLetters, function.result)));
  }
  builder.FinishSizePrefixed(wire::CreateHostFunctionDetailsDirect(builder, &list));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

Result<std::vector<Signature>> decode_signatures(std::string_view bytes) {
  // Where a number may begin, whatever is in front of it in its file.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  flatbuffers::Verifier verifier(copy.data(), copy.size(), kMaxDepth, kMaxTables);
  if (!verifier.VerifySizePrefixedBuffer<wire::HostFunctionDetails>(nullptr)) {
    return malformed();
  }
  std::vector<Signature> functions;
  const auto* const list =
      flatbuffers::GetSizePrefixedRoot<wire::HostFunctionDetails>(copy.data())->functions();
  for (flatbuffers::uoffset_t i = 0; list != nullptr && i < list->size(); ++i) {
    functions.push_back(TRY(signature_of(*list->Get(i))));
  }
  return functions;
}

}  // namespace runhl::vmm::hyperlight
