#include "sim/auth_instance.hpp"

#include <cstring>
#include <utility>

namespace rollcall::sim {

std::string_view to_string(AuthOperation operation) {
    constexpr std::array<std::string_view, AuthInstance::operations> names{
        "create", "list", "get", "update", "delete", "other"};
    return names[static_cast<std::size_t>(operation)];
}

void AuthInstance::record(AuthRecord record) {
    ++requests[static_cast<std::size_t>(record.operation)];
    ++answers[record.status];
    records.push_back(std::move(record));
    if (records.size() > records_max) records.pop_front();
}

void AuthInstance::reset() {
    users.clear();
    requests = {};
    answers.clear();
    records.clear();
}

std::int64_t AuthInstance::stamp() {
    return clock.now().time_since_epoch().count() * 1000 + stamps_++ % 1000;
}

std::string AuthInstance::make_id() {
    const std::array<std::uint64_t, 2> drawn{random_.next(), random_.next()};
    Uuid uuid{};
    std::memcpy(uuid.bytes, drawn.data(), sizeof uuid.bytes);
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0FU) | 0x40U);
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3FU) | 0x80U);
    return rollcall::to_string(uuid);
}

}  // namespace rollcall::sim
