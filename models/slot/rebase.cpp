#include "models/slot/rebase.hpp"

#include <fmt/format.h>

#include "models/risk/tenant_scorer.hpp"
#include "models/rules/window_store.hpp"
#include "models/slot/control.hpp"

namespace pulse::slot {

namespace {

constexpr log_offset before_the_first{-1};

result<chunk_image> rebased(const chunk_image& image, std::int64_t by) {
  if (image.chunk == control_chunk)
    return chunk_image{image.chunk, before_the_first, image.bytes};
  constexpr std::int32_t windows_from = scoring::chunk_count;
  if (image.chunk < windows_from) {
    auto moved = scoring::rebased({image.chunk, image.as_of, image.bytes}, by, before_the_first);
    if (!moved)
      return moved.err();
    return chunk_image{image.chunk, moved->as_of, std::move(moved->bytes)};
  }
  auto moved =
      rules::window_store::rebased({image.chunk - windows_from, image.as_of, image.bytes}, by, before_the_first);
  if (!moved)
    return moved.err();
  return chunk_image{image.chunk, moved->as_of, std::move(moved->bytes)};
}

} // namespace

result<std::vector<chunk_image>> rebased(const std::vector<chunk_image>& images, log_offset as_of) {
  std::vector<chunk_image> out;
  out.reserve(images.size());
  for (const auto& image : images) {
    if (image.as_of > as_of)
      return error{
          ec::corrupt,
          fmt::format("chunk {} is as of {}, beyond the tenant's mark {}", image.chunk, image.as_of.value, as_of.value),
          ""};
    auto moved = rebased(image, as_of.value + 1);
    if (!moved)
      return moved.err();
    out.push_back(std::move(*moved));
  }
  return out;
}

} // namespace pulse::slot
