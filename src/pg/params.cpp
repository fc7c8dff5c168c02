#include "pg/params.hpp"

#include "base/result.hpp"
#include "pg/types.hpp"

#include <bit>
#include <concepts>
#include <limits>

namespace rollcall::pg {

namespace {

template <std::integral I>
void append(std::string& out, I value) {
    auto bits = static_cast<std::make_unsigned_t<I>>(value);
    if constexpr (std::endian::native == std::endian::little && sizeof(I) > 1) {
        bits = std::byteswap(bits);
    }
    out.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
}

// PostgreSQL counts microseconds from 2000-01-01.
std::int64_t to_wire(SystemTime time) {
    constexpr std::chrono::sys_days epoch{std::chrono::year(2000) / 1 / 1};
    return std::chrono::duration_cast<std::chrono::microseconds>(time - epoch).count();
}

std::string_view view(const Uuid& uuid) {
    return {reinterpret_cast<const char*>(uuid.bytes), sizeof(uuid.bytes)};
}

// One dimension, lower bound 1; `element` appends the bytes of one value and says whether it is
// there at all.
template <class Span, class Element>
void append_array(std::string& out, std::uint32_t type, const Span& values, Element element) {
    ensure(values.size() <= std::numeric_limits<std::int32_t>::max(), "array parameter too long");
    append(out, std::int32_t{values.empty() ? 0 : 1});
    const std::size_t flags = out.size();
    append(out, std::int32_t{0});
    append(out, type);
    if (values.empty()) return;
    append(out, static_cast<std::int32_t>(values.size()));
    append(out, std::int32_t{1});
    for (const auto& value : values) {
        const std::size_t length = out.size();
        append(out, std::int32_t{-1});
        if (!element(value)) {
            out[flags + 3] = 1;  // the array holds NULLs
            continue;
        }
        std::string size;
        append(size, static_cast<std::int32_t>(out.size() - length - 4));
        out.replace(length, 4, size);
    }
}

}  // namespace

void Params::open(std::uint32_t type, bool binary) {
    if (slots_.empty()) slots_.reserve(8);
    slots_.push_back({.offset = bytes_.size(), .length = 0, .type = type, .binary = binary});
}

void Params::close() {
    Slot& slot = slots_.back();
    const std::size_t length = bytes_.size() - slot.offset;
    ensure(length <= std::numeric_limits<int>::max(), "parameter too long");
    slot.length = static_cast<int>(length);
    if (!slot.binary) bytes_.push_back('\0');  // libpq reads text up to the NUL
}

Params& Params::null() {
    open(type::unknown, false);
    slots_.back().null = true;
    return *this;
}

Params& Params::text(std::string_view value) {
    open(type::unknown, false);
    bytes_.append(value);
    // libpq would cut the value at a NUL byte without a word. 0xFF is as invalid, and is sent.
    for (std::size_t at = bytes_.size() - value.size();
         (at = bytes_.find('\0', at)) != std::string::npos;) {
        bytes_[at] = '\xFF';
    }
    close();
    return *this;
}

Params& Params::bigint(std::int64_t value) {
    open(type::bigint, true);
    append(bytes_, value);
    close();
    return *this;
}

Params& Params::integer(std::int32_t value) {
    open(type::integer, true);
    append(bytes_, value);
    close();
    return *this;
}

Params& Params::boolean(bool value) {
    open(type::boolean, true);
    bytes_.push_back(value ? '\1' : '\0');
    close();
    return *this;
}

Params& Params::uuid(const Uuid& value) {
    open(type::uuid, true);
    bytes_.append(view(value));
    close();
    return *this;
}

Params& Params::timestamptz(SystemTime value) {
    open(type::timestamptz, true);
    append(bytes_, to_wire(value));
    close();
    return *this;
}

Params& Params::text_array(std::span<const std::optional<std::string_view>> values) {
    open(type::text_array, true);
    append_array(bytes_, type::text, values, [this](const auto& value) {
        if (value) bytes_.append(*value);
        return value.has_value();
    });
    close();
    return *this;
}

Params& Params::jsonb_array(std::span<const std::string_view> values) {
    open(type::jsonb_array, true);
    append_array(bytes_, type::jsonb, values, [this](std::string_view value) {
        bytes_.push_back('\1');  // jsonb's version of its binary form, which is text after all
        bytes_.append(value);
        return true;
    });
    close();
    return *this;
}

Params& Params::bigint_array(std::span<const std::optional<std::int64_t>> values) {
    open(type::bigint_array, true);
    append_array(bytes_, type::bigint, values, [this](const auto& value) {
        if (value) append(bytes_, *value);
        return value.has_value();
    });
    close();
    return *this;
}

Params& Params::integer_array(std::span<const std::int32_t> values) {
    open(type::integer_array, true);
    append_array(bytes_, type::integer, values, [this](std::int32_t value) {
        append(bytes_, value);
        return true;
    });
    close();
    return *this;
}

Params& Params::boolean_array(std::span<const std::optional<bool>> values) {
    open(type::boolean_array, true);
    append_array(bytes_, type::boolean, values, [this](const auto& value) {
        if (value) bytes_.push_back(*value ? '\1' : '\0');
        return value.has_value();
    });
    close();
    return *this;
}

Params& Params::uuid_array(std::span<const Uuid> values) {
    open(type::uuid_array, true);
    append_array(bytes_, type::uuid, values, [this](const Uuid& value) {
        bytes_.append(view(value));
        return true;
    });
    close();
    return *this;
}

Params& Params::timestamptz_array(std::span<const std::optional<SystemTime>> values) {
    open(type::timestamptz_array, true);
    append_array(bytes_, type::timestamptz, values, [this](const auto& value) {
        if (value) append(bytes_, to_wire(*value));
        return value.has_value();
    });
    close();
    return *this;
}

}  // namespace rollcall::pg
