// Which access a request needs: the rules of a policy, the most specific of those that cover the
// request deciding. Pure; a Policy does not change, so it may be shared and replaced as a whole.
#pragma once

#include "gate/path_pattern.hpp"
#include "gate/target.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

enum class Access : std::uint8_t {
    public_,     // anybody
    protected_,  // a valid session token
    admin,       // the same, and the role admin in the users table
    deny,        // nobody; of a policy's default only
};
[[nodiscard]] std::string_view to_string(Access access);
[[nodiscard]] std::optional<Access> parse_access(std::string_view text);

// Which database client the endpoint uses: that of the user, under row level security, or the
// admin's.
enum class Client : std::uint8_t { user, admin };
[[nodiscard]] std::string_view to_string(Client client);

struct Rule {
    std::string id;
    std::vector<std::string> hosts;    // canonical; empty: any
    std::vector<std::string> methods;  // empty: any
    PathPattern path;
    Access access = Access::protected_;
    std::string summary{};
    std::optional<Client> client{};
    std::optional<std::chrono::milliseconds> max_staleness{};
    unsigned line = 0;  // of the policy file

    // A public rule covers only what it names, every other the same with or without a final slash.
    [[nodiscard]] Slash slash() const {
        return access == Access::public_ ? Slash::exact : Slash::either;
    }
};

struct Decision {
    const Rule* rule = nullptr;  // of the policy; null: its default
    Access access = Access::deny;

    [[nodiscard]] std::string_view id() const {
        return rule ? std::string_view(rule->id) : "default";
    }
};

// Two rules that are equally specific and cover the same request, by their places in the list.
struct Overlap {
    std::size_t first, second;
    std::string method, host, path;  // such a request; method and host empty: any
};

class Policy {
public:
    // `fallback` is what holds where no rule does. Ids are unique already. Refused when two rules
    // overlap and neither is more specific.
    [[nodiscard]] static std::expected<Policy, Overlap> make(Access fallback,
                                                             std::vector<Rule> rules);
    Policy(Policy&&) noexcept;
    Policy& operator=(Policy&&) noexcept;
    ~Policy();

    // The order of the rules makes no difference. Rules whose path is literal cost nothing however
    // many there are. A target without a host meets only rules for any host.
    [[nodiscard]] Decision decide(const Target& target) const;

    [[nodiscard]] std::span<const Rule> rules() const { return rules_; }  // as given
    // Places in rules(), the most specific first; equals as given.
    [[nodiscard]] std::span<const std::size_t> by_specificity() const { return order_; }
    [[nodiscard]] Access fallback() const { return fallback_; }

private:
    class Tree;
    Policy(Access fallback, std::vector<Rule> rules);

    Access fallback_;
    std::vector<Rule> rules_;
    std::vector<std::size_t> order_;
    std::unique_ptr<const Tree> tree_;
};

}  // namespace rollcall::gate
