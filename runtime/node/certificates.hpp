// The cluster's private authority and the certificates of its nodes: made by `pulse cluster ca|cert`, checked before a
// node serves, since CAF only says that a connection failed.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace pulse {

/// DIR/ca.pem and DIR/ca.key, valid for ten years. `conflict` when they are there already.
result<void> make_authority(const std::string& dir);

/// DIR/NAME.pem and DIR/NAME.key, signed by DIR's authority for these host names and addresses; valid for two years.
result<void> make_certificate(const std::string& dir, const std::string& name, const std::vector<std::string>& hosts);

/// Whether the files can be read, belong together and are valid now; the error says which one is wrong and how.
result<void> check_certificates(const std::string& ca, const std::string& cert, const std::string& key);

} // namespace pulse
