#include "clerk/answers.hpp"

#include "clerk/user_json.hpp"

#include <string>
#include <utility>

namespace rollcall::clerk {
namespace {

// The error of an answer that is none. What Clerk has not got is an error of the call too, but for
// get_user: the path is wrong.
std::unexpected<Error> refused(const ApiError& error) {
    Error out = error.error();
    if (out.code == ErrorCode::not_found) out.code = ErrorCode::unavailable;
    return std::unexpected(std::move(out));
}

std::optional<simdjson::dom::object> object_in(JsonDocument& document, std::string_view body) {
    const auto root = document.parse(body);
    simdjson::dom::object object;
    if (!root || root->get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

}  // namespace

Result<std::optional<User>> read_user_answer(const ApiResult<http::Response>& answer,
                                             std::string_view id) {
    if (!answer) {
        const ApiError& error = answer.error();
        if (error.status == 404 && error.code == "resource_not_found") return std::nullopt;
        return refused(error);
    }
    auto user = parse_user(answer->body);
    if (user && user->id == id) return std::optional<User>(*std::move(user));
    return std::unexpected(strange_answer("the user asked for"));
}

Result<std::vector<User>> read_page_answer(const ApiResult<http::Response>& answer,
                                           JsonDocument& document, bool with_cursor) {
    if (!answer) {
        const ApiError& error = answer.error();
        if (with_cursor && error.status == 422) {
            return fail(ErrorCode::conflict, error.message + "; the cursor's user may be gone");
        }
        return refused(error);
    }
    const auto root = document.parse(answer->body);
    simdjson::dom::array elements;
    if (!root || root->get_array().get(elements) != simdjson::SUCCESS) {
        return std::unexpected(strange_answer("a list of users"));
    }
    std::vector<User> users;
    users.reserve(elements.size());
    for (const simdjson::dom::element element : elements) {
        simdjson::dom::object object;
        std::optional<User> user;
        if (element.get_object().get(object) == simdjson::SUCCESS) user = read_user(object);
        if (!user) {
            return fail(ErrorCode::unavailable,
                        "element " + std::to_string(users.size() + 1) +
                            " of a page of users has no usable id; the page is not used");
        }
        users.push_back(*std::move(user));
    }
    return users;
}

Result<std::int64_t> read_count_answer(const ApiResult<http::Response>& answer) {
    if (!answer) return refused(answer.error());
    JsonDocument document;
    const auto object = object_in(document, answer->body);
    std::int64_t count = 0;
    if (!object || (*object)["total_count"].get_int64().get(count) != simdjson::SUCCESS ||
        count < 0) {
        return std::unexpected(strange_answer("a count of users"));
    }
    return count;
}

Result<Instance> read_instance_answer(const ApiResult<http::Response>& answer) {
    if (!answer) return refused(answer.error());
    JsonDocument document;
    const auto object = object_in(document, answer->body);
    if (object) {
        std::string_view id;
        std::string_view type;
        const bool named = (*object)["id"].get_string().get(id) == simdjson::SUCCESS;
        if ((*object)["environment_type"].get_string().get(type) != simdjson::SUCCESS) type = "";
        if (named && usable_id(id)) return Instance{std::string(id), std::string(type)};
    }
    return std::unexpected(strange_answer("an instance"));
}

}  // namespace rollcall::clerk
