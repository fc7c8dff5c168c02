// For tests: the tokens of tests/data/tokens, which Node.js signed, with what is expected of each.
#pragma once

#include "clerk/session_token.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

namespace json = boost::json;

inline json::value read_test_json(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
}

inline std::vector<std::string> strings_of(const json::value& list) {
    return json::value_to<std::vector<std::string>>(list);
}

// What a token of a file is judged by, unless its case says otherwise.
inline TokenRules rules_of(const json::object& token) {
    TokenRules rules;
    rules.issuers = {"https://clerk.example.com"};
    if (const auto* issuer = token.if_contains("issuer")) {
        rules.any_issuer = issuer->is_null();
        if (issuer->is_string()) rules.issuers = {std::string(issuer->get_string())};
    }
    if (const auto* all = token.if_contains("issuers")) rules.issuers = strings_of(*all);
    if (const auto* all = token.if_contains("authorized_parties")) {
        rules.authorized_parties = strings_of(*all);
    }
    if (const auto* all = token.if_contains("audiences")) rules.audiences = strings_of(*all);
    if (const auto* all = token.if_contains("algorithms")) {
        rules.algorithms.clear();
        for (const auto& name : strings_of(*all)) {
            rules.algorithms.push_back(*crypto::parse_algorithm(name));
        }
    }
    if (const auto* seconds = token.if_contains("max_lifetime")) {
        rules.lifetime_max = std::chrono::seconds(seconds->get_int64());
    }
    return rules;
}

}  // namespace rollcall::clerk
