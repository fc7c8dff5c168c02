// What the routes of the simulated Supabase Auth do: a call in, the store changed, a body or
// an error out. Keys and faults are AuthApi's. Pure but for the instance that they change.
#pragma once

#include "sim/auth_instance.hpp"
#include "sim/auth_json.hpp"
#include "sim/clerk_query.hpp"

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace rollcall::sim {

[[nodiscard]] AuthResult<boost::json::object> create_auth_user(AuthInstance& auth,
                                                               std::string_view body);
// `id` is what stands in the path: it need not be a UUID.
[[nodiscard]] AuthResult<boost::json::object> get_auth_user(const AuthInstance& auth,
                                                            std::string_view id);
[[nodiscard]] AuthResult<boost::json::object> update_auth_user(AuthInstance& auth,
                                                               std::string_view id,
                                                               std::string_view body);
[[nodiscard]] AuthResult<boost::json::object> delete_auth_user(AuthInstance& auth,
                                                               std::string_view id,
                                                               std::string_view body);

// POST /token?grant_type=password: whether somebody would be let in. The tokens open nothing here.
[[nodiscard]] AuthResult<boost::json::object> sign_in_by_password(const AuthInstance& auth,
                                                                  const QueryPairs& query,
                                                                  std::string_view body);

struct AuthUserList {
    boost::json::object body;
    std::uint64_t total = 0;
    std::string link;  // the header
};
[[nodiscard]] AuthResult<AuthUserList> list_auth_users(AuthInstance& auth, const QueryPairs& query);

}  // namespace rollcall::sim
