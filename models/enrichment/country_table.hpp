// ISO 3166-1: from codes and names in any case to the alpha-2 code. The table is data that the caller reads (Debian's
// iso-codes) and hands in.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"

namespace pulse {

class country_table {
public:
  /// Takes the text of iso-codes' `iso_3166-1.json`. Error: `malformed`.
  static result<country_table> load(std::string_view json);

  /// The alpha-2 code for an alpha-2 or alpha-3 code, a number, a name, an official or a common name; empty for what
  /// is none of these.
  std::string_view find(std::string_view text) const;

  std::size_t size() const {
    return codes_.size();
  }

private:
  std::unordered_map<std::string, std::string> codes_;
};

} // namespace pulse
