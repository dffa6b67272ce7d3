#include "server/rpc/wire_cost.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/message.h"
#include "google/protobuf/wire_format_lite.h"
#include "proto/support/status_macros.h"

namespace creamery {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

constexpr int kMostDepth = 100;     // as the parser's own
constexpr int64_t kPointer = 16;    // to a repeated element; arrays grow by doubling
constexpr int64_t kString = 64;     // its object, its pointer and what the heap adds
constexpr int64_t kNumber = 16;     // a repeated number, with room to grow
constexpr int64_t kMapEntry = 160;  // two strings in a node of a table
constexpr int64_t kUnknown = 64;

class Walk {
 public:
  Walk(google::protobuf::io::ZeroCopyInputStream* bytes, const Descriptor& type, int64_t most)
      : in_(bytes), type_(type), most_(most) {
    in_.SetTotalBytesLimit(INT32_MAX);
  }

  absl::Status Message(const Descriptor& type, int depth) {
    if (depth > kMostDepth) {
      return absl::InvalidArgumentError(absl::StrCat("the ", type_.full_name(), " is nested deeper than ", kMostDepth));
    }
    while (const uint32_t tag = in_.ReadTag()) {
      ABSL_RETURN_IF_ERROR(Field(type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag)), tag, depth));
      if (cost_ > most_) {
        return absl::ResourceExhaustedError(absl::StrCat("the fields of the ", type_.full_name(), " would take over ",
                                                         most_, " bytes of memory, the most for this call"));
      }
    }
    return in_.ConsumedEntireMessage() ? absl::OkStatus() : Malformed();
  }
  int64_t cost() const { return cost_; }

 private:
  absl::Status Malformed() const {
    return absl::InvalidArgumentError(absl::StrCat("the request is not a valid ", type_.full_name()));
  }

  absl::Status Field(const FieldDescriptor* field, uint32_t tag, int depth) {
    if (field != nullptr) {  // of another wire type: the parser keeps it as an unknown field
      const auto given = WireFormatLite::GetTagWireType(tag);
      const auto own = WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field->type()));
      if (given != own && !(given == WireFormatLite::WIRETYPE_LENGTH_DELIMITED && field->is_packable()))
        field = nullptr;
    }
    if (field == nullptr) cost_ += kUnknown;
    const bool repeated = field != nullptr && field->is_repeated();
    uint64_t number = 0;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        if (repeated) cost_ += kNumber;
        return in_.ReadVarint64(&number) ? absl::OkStatus() : Malformed();
      case WireFormatLite::WIRETYPE_FIXED64:
        if (repeated) cost_ += kNumber;
        return in_.Skip(8) ? absl::OkStatus() : Malformed();
      case WireFormatLite::WIRETYPE_FIXED32:
        if (repeated) cost_ += kNumber;
        return in_.Skip(4) ? absl::OkStatus() : Malformed();
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        return Delimited(field, depth);
      default:  // groups, which none of our messages has
        return Malformed();
    }
  }

  absl::Status Delimited(const FieldDescriptor* field, int depth) {
    int length = 0;
    if (!in_.ReadVarintSizeAsInt(&length)) return Malformed();
    if (field == nullptr) return in_.Skip(length) ? absl::OkStatus() : Malformed();
    if (field->type() == FieldDescriptor::TYPE_STRING || field->type() == FieldDescriptor::TYPE_BYTES) {
      cost_ += kString;
      return in_.Skip(length) ? absl::OkStatus() : Malformed();
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {  // packed numbers
      const bool varints =
          WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field->type())) ==
          WireFormatLite::WIRETYPE_VARINT;
      cost_ += varints ? kNumber * length : int64_t{length};
      return in_.Skip(length) ? absl::OkStatus() : Malformed();
    }
    cost_ += kPointer + (field->is_map() ? kMapEntry : SizeOf(*field->message_type()));
    const auto limit = in_.PushLimit(length);
    ABSL_RETURN_IF_ERROR(Message(*field->message_type(), depth + 1));
    if (in_.BytesUntilLimit() != 0) return Malformed();
    in_.PopLimit(limit);
    return absl::OkStatus();
  }

  // Of an empty one.
  int64_t SizeOf(const Descriptor& type) {
    if (&type != last_type_) {
      const google::protobuf::Message* const prototype =
          google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type);
      last_type_ = &type;
      last_size_ = prototype == nullptr ? kUnknown : static_cast<int64_t>(prototype->SpaceUsedLong());
    }
    return last_size_;
  }

  google::protobuf::io::CodedInputStream in_;
  const Descriptor& type_;
  const int64_t most_;
  int64_t cost_ = 0;
  const Descriptor* last_type_ = nullptr;
  int64_t last_size_ = 0;
};

}  // namespace

absl::StatusOr<int64_t> StructureBytes(const Descriptor& type, google::protobuf::io::ZeroCopyInputStream* bytes,
                                       int64_t most) {
  Walk walk(bytes, type, most);
  ABSL_RETURN_IF_ERROR(walk.Message(type, 0));
  return walk.cost();
}

}  // namespace creamery
