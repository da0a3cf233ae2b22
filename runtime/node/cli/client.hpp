// The command line's side of the admin listener: finds the node by its data directory, sends its admin token.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"

namespace pulse::cli {

using json = nlohmann::ordered_json;

/// What the node answered. A body that is no JSON stands there as a text.
struct reply {
  int status = 0;
  json body;

  bool failed() const {
    return status >= 400;
  }
};

/// Of an answer of 4xx or 5xx: `422 /path: detail`, and below it a line for each entry of the problem's `errors`.
std::string problem_text(const std::string& path, const reply& answer);

class client {
public:
  /// Errors tell how to start a node.
  static result<client> for_data_dir(const std::string& data_dir);

  /// Any answer, also one of 4xx or 5xx; `body` is JSON, empty: none. Error: the node does not answer.
  result<reply> send(const std::string& method, const std::string& path, const std::string& body) const;

  /// An answer of 4xx or 5xx is an error with problem_text().
  result<json> call(const std::string& method, const std::string& path, const json& body = nullptr) const;

  /// Base of the public listener, `http://127.0.0.1:8080`.
  const std::string& public_url() const {
    return public_url_;
  }

private:
  std::string admin_url_;
  std::string public_url_;
  std::string token_;
};

/// `PULSE_DATA_DIR`, or `.pulse`.
std::string default_data_dir();

} // namespace pulse::cli
