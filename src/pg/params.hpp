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
    // text, jsonb, enum, …: the server parses. A NUL byte, which no PostgreSQL text can hold, makes
    // the server refuse the statement (22021).
    Params& text(std::string_view value);
    template <class String>
    Params& text(const std::optional<String>& value) {  // NULL when absent
        return value ? text(std::string_view(*value)) : null();
    }
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
    friend class Arguments;  // what libpq reads
    friend class PlanCache;  // what the server was told of the types
    struct Slot {
        std::size_t offset = 0;
        int length = 0;
        std::uint32_t type = 0;  // OID; 0: the server infers
        bool binary = false;
        bool null = false;
    };
    void open(std::uint32_t type, bool binary);
    void close();

    std::vector<Slot> slots_;
    std::string bytes_;
};

}  // namespace rollcall::pg
