// Files that are compiled into the program: migrations, the API description, the default configuration.
#pragma once

#include <string_view>
#include <vector>

namespace pulse {

struct embedded_file {
  std::string_view name;
  std::string_view content;
};

/// One function per layer that embeds files, written by scripts/cmake/embed.cmake.
std::vector<embedded_file> embedded_postgres();
std::vector<embedded_file> embedded_http();
std::vector<embedded_file> embedded_node();

} // namespace pulse
