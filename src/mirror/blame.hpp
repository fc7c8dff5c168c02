// Whose fault it is that Supabase Auth failed at a write and did not say why: the user's, or its
// own, whose database may take no write at all. It is the user's when a write for another has
// worked since theirs failed before. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace rollcall::mirror {

class Blame {
public:
    // Remembers as many users; one that is forgotten counts as failing for the first time.
    explicit Blame(std::size_t users_max = 1'000) : users_max_(users_max) {}

    // A write for this user has worked.
    void worked(const std::string& user);
    // One has failed without a cause; whether that is the user's fault.
    bool failed(const std::string& user);

private:
    std::size_t users_max_;
    std::uint64_t worked_ = 0;                      // writes that have
    std::map<std::string, std::uint64_t> failing_;  // and how many had when theirs failed
};

}  // namespace rollcall::mirror
