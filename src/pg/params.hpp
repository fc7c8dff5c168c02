// Parameters of one statement, $1 first, in PostgreSQL's binary or text format as suits the type.
// Arrays go as binary: no quoting, and the server parses them fastest. Copies what it is given.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::pg {

class Params {
public:
    Params& null();
    Params& text(std::string_view value);                 // text, jsonb, enum, …: server parses
    Params& text(std::optional<std::string_view> value);  // NULL when absent
    Params& bigint(std::int64_t value);
    Params& integer(std::int32_t value);
    Params& boolean(bool value);
    Params& uuid(const Uuid& value);
    Params& timestamptz(SystemTime value);

    // Binary arrays: text[], jsonb[] (each element JSON text), bigint[], integer[], boolean[],
    // uuid[], timestamptz[]. An absent element is NULL.
    Params& text_array(std::span<const std::optional<std::string_view>> values);
    Params& jsonb_array(std::span<const std::string_view> values);
    Params& bigint_array(std::span<const std::optional<std::int64_t>> values);
    Params& integer_array(std::span<const std::int32_t> values);
    Params& boolean_array(std::span<const std::optional<bool>> values);
    Params& uuid_array(std::span<const Uuid> values);
    Params& timestamptz_array(std::span<const std::optional<SystemTime>> values);

    [[nodiscard]] std::size_t size() const { return slots_.size(); }

private:
    friend class Connection;
    struct Slot {
        std::size_t offset = 0;
        int length = 0;
        std::uint32_t type = 0;  // OID; 0: the server infers
        bool binary = false;
        bool null = false;
    };
    void add(std::uint32_t type, bool binary, std::string_view bytes);

    std::vector<Slot> slots_;
    std::string bytes_;
};

}  // namespace rollcall::pg
