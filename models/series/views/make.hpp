// How each view is made; the register in views.cpp lists them.
#pragma once

#include <memory>

#include "models/series/view.hpp"

namespace pulse::series {

std::unique_ptr<view> make_shape_of(std::size_t points);

template <std::size_t Points>
std::unique_ptr<view> make_shape() {
  return make_shape_of(Points);
}

std::unique_ptr<view> make_residual();
std::unique_ptr<view> make_shift();
std::unique_ptr<view> make_spread();
std::unique_ptr<view> make_drift();
std::unique_ptr<view> make_poly();
std::unique_ptr<view> make_range();
std::unique_ptr<view> make_mad();
std::unique_ptr<view> make_z();
std::unique_ptr<view> make_iqr();
std::unique_ptr<view> make_count();
std::unique_ptr<view> make_forest();

} // namespace pulse::series
