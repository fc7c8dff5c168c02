#include "gate/policy.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace rollcall::gate {
namespace {

using Kind = PathPattern::Kind;

std::strong_ordering specificity(const Rule& a, const Rule& b) {
    if (const auto order = a.path.specificity(b.path); order != 0) return order;
    const auto named = [](const Rule& rule) {
        return std::pair(!rule.hosts.empty(), !rule.methods.empty());
    };
    return named(a) <=> named(b);
}

bool allows(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
}

// One that is in both lists; "" when both take any; nothing when none is.
std::optional<std::string> shared(const std::vector<std::string>& a,
                                  const std::vector<std::string>& b) {
    if (a.empty()) return b.empty() ? "" : b.front();
    for (const std::string& value : a) {
        if (allows(b, value)) return value;
    }
    return std::nullopt;
}

// What two rules have in common when they are equally specific and could overlap: of which kind
// their segments are, and the literals that stand where segments can be counted from the left.
std::string overlap_key(const Rule& rule) {
    std::string key = rule.hosts.empty() ? "h" : "H";
    key += rule.methods.empty() ? "m" : "M";
    bool counted = true;
    for (const auto& element : rule.path.elements()) {
        key += '/';
        key += static_cast<char>('0' + static_cast<int>(element.kind));
        counted = counted && element.kind != Kind::many;
        if (counted && element.kind == Kind::literal) key += element.text;
    }
    return key;
}

std::optional<Overlap> overlap(const std::vector<Rule>& rules, std::size_t i, std::size_t j) {
    const Rule& a = rules[i];
    const Rule& b = rules[j];
    const auto method = shared(a.methods, b.methods);
    const auto host = method ? shared(a.hosts, b.hosts) : std::nullopt;
    if (!host) return std::nullopt;
    const auto path = PathPattern::common(a.path, a.slash(), b.path, b.slash());
    if (!path) return std::nullopt;
    return Overlap{i, j, *method, *host, encoded_path(*path)};
}

std::optional<Overlap> find_overlap(const std::vector<Rule>& rules) {
    std::unordered_map<std::string, std::vector<std::size_t>> alike;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        auto& others = alike[overlap_key(rules[i])];
        for (const std::size_t j : others) {
            if (auto found = overlap(rules, j, i)) return found;
        }
        others.push_back(i);
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Access access) {
    switch (access) {
        case Access::public_:
            return "public";
        case Access::protected_:
            return "protected";
        case Access::admin:
            return "admin";
        case Access::deny:
            return "deny";
    }
    return "";
}

std::optional<Access> parse_access(std::string_view text) {
    for (const Access access : {Access::public_, Access::protected_, Access::admin, Access::deny}) {
        if (to_string(access) == text) return access;
    }
    return std::nullopt;
}

std::string_view to_string(Client client) {
    return client == Client::user ? "user" : "admin";
}

// The patterns of all rules as one tree over segments, walked with all of a path's ways at once.
class Policy::Tree {
public:
    Tree(std::span<const Rule> rules, std::span<const std::size_t> order)
        : rules_(rules), places_(rules.size()), nodes_(1) {
        for (std::size_t place = 0; place < order.size(); ++place) {
            places_[order[place]] = place;
            std::size_t node = 0;
            for (const auto& element : rules[order[place]].path.elements()) {
                node = grow(node, element);
            }
            nodes_[node].rules.push_back(order[place]);
        }
    }

    const Rule* find(const Target& target) const {
        const auto path = split_path(target.decoded);
        if (!path) return nullptr;
        std::vector<Stand> now;
        std::vector<Stand> next;
        enter(now, {0, false});
        for (const std::string_view segment : path->segments) {
            next.clear();
            bool many = false;
            for (const Stand& stand : now) {
                step(next, stand, segment);
                many = many || nodes_[stand.node].is_many;
            }
            // Only ways through ** meet again.
            if (many) {
                std::ranges::sort(next);
                next.erase(std::ranges::unique(next).begin(), next.end());
            }
            std::swap(now, next);
        }
        const Rule* best = nullptr;
        std::size_t best_place = rules_.size();
        for (const Stand& stand : now) {
            for (const std::size_t rule : nodes_[stand.node].rules) {
                if (places_[rule] >= best_place) break;  // they stand in this order
                if (!ends_here(rules_[rule], stand, path->slash) ||
                    !allows(rules_[rule].methods, target.method) ||
                    !allows(rules_[rule].hosts, target.host)) {
                    continue;
                }
                best = &rules_[rule];
                best_place = places_[rule];
            }
        }
        return best;
    }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    struct Partial {
        std::string text;
        Wildcard wildcard;
        std::size_t node;
    };
    struct Node {
        std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> literals;
        std::vector<Partial> partials;
        std::size_t any = 0;  // 0, the root, is nobody's child
        std::size_t many = 0;
        bool is_many = false;  // reached by **
        std::vector<std::size_t> rules;
    };
    struct Stand {
        std::size_t node;
        bool taken;  // of a ** node: whether it has taken a segment
        auto operator<=>(const Stand&) const = default;
    };

    std::size_t grow(std::size_t node, const PathPattern::Element& element) {
        const std::size_t fresh = nodes_.size();
        std::size_t child = fresh;
        switch (element.kind) {
            case Kind::literal:
                child = nodes_[node].literals.try_emplace(element.text, fresh).first->second;
                break;
            case Kind::partial: {
                auto& partials = nodes_[node].partials;
                const auto known = std::ranges::find(partials, element.text, &Partial::text);
                if (known != partials.end()) return known->node;
                partials.push_back({element.text, *element.wildcard, fresh});
                break;
            }
            case Kind::any:
                if (nodes_[node].any == 0) nodes_[node].any = fresh;
                child = nodes_[node].any;
                break;
            case Kind::many:
                if (nodes_[node].many == 0) nodes_[node].many = fresh;
                child = nodes_[node].many;
                break;
        }
        if (child == fresh) {
            nodes_.emplace_back();
            nodes_.back().is_many = element.kind == Kind::many;
        }
        return child;
    }

    void enter(std::vector<Stand>& stands, Stand stand) const {
        stands.push_back(stand);
        if (const std::size_t many = nodes_[stand.node].many; many != 0) {
            stands.push_back({many, false});
        }
    }

    void step(std::vector<Stand>& next, const Stand& stand, std::string_view segment) const {
        const Node& node = nodes_[stand.node];
        if (const auto it = node.literals.find(segment); it != node.literals.end()) {
            enter(next, {it->second, false});
        }
        for (const Partial& partial : node.partials) {
            if (partial.wildcard.matches(segment)) enter(next, {partial.node, false});
        }
        if (node.any != 0) enter(next, {node.any, false});
        if (node.is_many) next.push_back({stand.node, true});
    }

    static bool ends_here(const Rule& rule, const Stand& stand, bool slash) {
        if (rule.slash() == Slash::either) return true;
        if (!rule.path.ends_in_many()) return slash == rule.path.ends_in_slash();
        return slash || (stand.taken && !rule.path.ends_in_slash());
    }

    std::span<const Rule> rules_;      // stay where they are when the policy moves
    std::vector<std::size_t> places_;  // in the order of specificity
    std::vector<Node> nodes_;
};

Policy::Policy(Access fallback, std::vector<Rule> rules)
    : fallback_(fallback), rules_(std::move(rules)), order_(rules_.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
        const auto order = specificity(rules_[a], rules_[b]);
        return order == 0 ? a < b : order > 0;
    });
}

std::expected<Policy, Overlap> Policy::make(Access fallback, std::vector<Rule> rules) {
    ensure(fallback == Access::protected_ || fallback == Access::deny,
           "what no rule allows needs a token at least");
    if (auto found = find_overlap(rules)) return std::unexpected(*std::move(found));
    Policy policy(fallback, std::move(rules));
    policy.tree_ = std::make_unique<const Tree>(policy.rules_, policy.order_);
    return policy;
}

Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;
Policy::~Policy() = default;

Decision Policy::decide(const Target& target) const {
    if (const Rule* rule = tree_->find(target)) return {rule, rule->access};
    return {nullptr, fallback_};
}

}  // namespace rollcall::gate
