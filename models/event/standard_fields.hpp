// What PulseEcom reads out of a client's event: the same reading at the door (for its verdict) and in the slot (for
// the event itself), so the two can't disagree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/event/event.hpp"
#include "models/event/json_index.hpp"

namespace pulse {

/// At most this many notes an event; what is odder than that is odd enough.
inline constexpr std::size_t notes_max = 16;

/// Collects notes; a null list takes none, for the second reading of what was noted at the door.
class note_sink {
public:
  explicit note_sink(std::vector<note>* notes) : notes_(notes) {
  }

  void add(std::string_view code, std::string pointer, std::string detail) {
    if (notes_ != nullptr && notes_->size() < notes_max)
      notes_->push_back({std::string(code), std::move(pointer), std::move(detail)});
  }

  explicit operator bool() const {
    return notes_ != nullptr;
  }

private:
  std::vector<note>* notes_;
};

/// One of the six types in lower case, from any case; empty for anything else.
std::string_view canonical_type(std::string_view text);

/// Views into the index; null nodes where there is nothing of the right kind.
struct standard_fields {
  std::string_view type;
  /// Of a track call its event name (empty: none), else the page's name, else the type.
  std::string_view name;
  std::string_view user_id;
  std::string_view anonymous_id;
  const json_node* properties = nullptr;
  const json_node* traits = nullptr;
  const json_node* context = nullptr;
};

/// `implied_type` is the route's, or what the door decided; it wins over the event's own.
standard_fields read_standard_fields(const json_index& index, std::string_view implied_type, note_sink notes);

/// A string's text, or a number's digits; empty for anything else.
std::string_view read_id(const json_node* node);

/// `product_id`, `order_id`: under either spelling, or null.
const json_node* find_either(const json_index& index, const json_node* parent, std::string_view snake,
                             std::string_view camel);

struct commerce_fields {
  std::string order_id;
  std::vector<order_line> products;
  std::optional<money> amount;
};

/// Order, lines and amount of a track call's properties. Amounts without a currency are in `fallback` (which may be
/// empty: two digits of minor unit then).
void read_commerce(const json_index& index, const json_node* properties, std::string_view event_name, currency fallback,
                   commerce_fields& out, note_sink notes);

/// Cuts to at most `bytes_max` bytes without cutting a UTF-8 character in two.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

} // namespace pulse
