// Object ids of PostgreSQL's built-in types; fixed for all versions (pg_type.dat).
#pragma once

#include <cstdint>

namespace rollcall::pg::type {

inline constexpr std::uint32_t unknown = 0;  // the server infers
inline constexpr std::uint32_t boolean = 16;
inline constexpr std::uint32_t bigint = 20;
inline constexpr std::uint32_t integer = 23;
inline constexpr std::uint32_t text = 25;
inline constexpr std::uint32_t timestamptz = 1184;
inline constexpr std::uint32_t uuid = 2950;
inline constexpr std::uint32_t jsonb = 3802;
inline constexpr std::uint32_t boolean_array = 1000;
inline constexpr std::uint32_t integer_array = 1007;
inline constexpr std::uint32_t text_array = 1009;
inline constexpr std::uint32_t bigint_array = 1016;
inline constexpr std::uint32_t timestamptz_array = 1185;
inline constexpr std::uint32_t uuid_array = 2951;
inline constexpr std::uint32_t jsonb_array = 3807;

}  // namespace rollcall::pg::type
