#include "sim/clerk_instance.hpp"

#include "base/result.hpp"
#include "crypto/encoding.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim {

namespace {

constexpr auto shape_count = static_cast<std::uint64_t>(Shape::count);

}  // namespace

ClerkInstance::ClerkInstance(std::uint64_t seed, IdMaker::Counters made, std::size_t messages_max,
                             double delivery_speed, ApiRateLimit limit, const Clock& time)
    : clock(time),
      ids(seed, std::move(made)),
      faults(seed),
      // Of the seed alone, so that a continued instance keeps its id. The first key is called so.
      keys(IdMaker(seed).make("ins_")),
      messages(messages_max, delivery_speed),
      speed(delivery_speed),
      rate_limiter(limit) {
    id = IdMaker(seed).make("ins_");
}

const ClerkUser& ClerkInstance::save(ClerkUser user, const Origin& origin) {
    const auto* before = users.find(user.id);
    const bool created = before == nullptr;
    const bool banned = user.banned && (created || !before->banned);
    if (created) {
        if (user.updated_at == 0) user.updated_at = now();
    } else if (!faults.strikes(Fault::same_millisecond)) {
        user.updated_at = std::max(now(), before->updated_at + 1);
    }
    const auto& saved = users.put(std::move(user));
    publish({.type = created ? "user.created" : "user.updated",
             .subject = saved.id,
             .data = to_json(saved),
             .origin = origin});
    if (banned) {
        while (auto* session = sessions.newest_of(saved.id, now())) {
            sign_out(*session, SessionStatus::revoked, origin);
        }
    }
    on_change();
    return saved;
}

void ClerkInstance::remove(const std::string& user_id, const Origin& origin) {
    const auto* user = users.find(user_id);
    ensure(user != nullptr, "a user who is not there cannot be removed");
    ClerkEvent event{.type = "user.deleted",
                     .subject = user_id,
                     .data = deleted_to_json(*user),
                     .origin = origin};
    users.erase(user_id);
    sessions.erase_user(user_id);
    publish(event);
    on_change();
}

ClerkSession& ClerkInstance::sign_in(const std::string& user_id, SessionStatus status,
                                     std::optional<ActiveOrganization> organization,
                                     const Origin& origin) {
    ensure(users.find(user_id) != nullptr, "only users who are there sign in");
    auto& made = sessions.add({.id = ids.make("sess_"),
                               .user_id = user_id,
                               .client_id = ids.make("client_"),
                               .status = status,
                               .organization = std::move(organization),
                               .created_at = now(),
                               .updated_at = now()},
                              now());
    publish_session(made, origin, status == SessionStatus::pending ? "pending" : "created");
    return made;
}

void ClerkInstance::sign_out(ClerkSession& session, SessionStatus how, const Origin& origin) {
    if (!session.living(now())) return;
    session.status = how;
    session.updated_at = std::max(now(), session.updated_at + 1);
    publish_session(session, origin, to_string(how));
}

void ClerkInstance::publish_session(const ClerkSession& session, const Origin& origin,
                                    std::string_view what) {
    auto data = to_json(session, now());
    data["user"] = to_json(*users.find(session.user_id));
    publish({.type = "session." + std::string(what),
             .subject = session.id,
             .data = std::move(data),
             .origin = origin});
}

void ClerkInstance::rotate_keys(bool overlap) {
    auto kid = ids.make("ins_");
    // The first name that is made is the instance's own.
    if (kid == id) kid = ids.make("ins_");
    keys.rotate(std::move(kid), overlap);
}

std::string ClerkInstance::publishable_key() {
    constexpr std::string_view scheme = "https://";
    return "pk_test_" +
           crypto::base64_encode(std::string(issuer.substr(scheme.size())).append("$"));
}

std::vector<std::string> ClerkInstance::populate(std::size_t count, const Shape* shape,
                                                 bool with_events) {
    // An hour apart, closer together when they would not fit into a year.
    constexpr std::int64_t hour = 3'600'000;
    constexpr std::int64_t year = hour * 24 * 365;
    const auto people = static_cast<std::int64_t>(std::max<std::size_t>(count, 1));
    const std::int64_t step = std::min(hour, year / people);
    const std::int64_t start = now() - step * people;
    std::vector<std::string> made;
    made.reserve(count);
    while (made.size() < count) {
        const auto number = people_made++;
        const auto one = shape != nullptr ? *shape : static_cast<Shape>(number % shape_count);
        const auto born = start + step * static_cast<std::int64_t>(made.size() + 1);
        auto user = make_person(one, number, born, ids);
        // A user made through the API may have taken the address: then the next number.
        if (!users.conflict(user).empty()) continue;
        made.push_back(user.id);
        if (with_events) {
            save(std::move(user), {});
        } else {
            users.put(std::move(user));
        }
    }
    on_change();
    return made;
}

const Message* ClerkInstance::publish(const ClerkEvent& event) {
    const bool in_seconds = faults.strikes(Fault::seconds_timestamp);
    return publish_raw(event.type, event.subject, envelope(event, id, clock.now(), in_seconds));
}

const Message* ClerkInstance::publish_raw(std::string type, std::string subject, std::string body) {
    SendPlan plan;
    plan.dropped = !endpoint.reachable() || faults.strikes(Fault::drop);
    if (!plan.dropped) {
        plan.duplicated = faults.strikes(Fault::duplicate);
        if (faults.strikes(Fault::reorder)) {
            plan.held = true;
            plan.delay = faults.reorder();
        } else if (faults.strikes(Fault::delay)) {
            plan.delay = faults.up_to_delay();
        }
    }
    Message message;
    message.id = ids.make("msg_");
    message.type = std::move(type);
    message.subject = std::move(subject);
    message.body = std::move(body);
    message.created_at = now();
    const auto* kept = messages.add(std::move(message), plan, clock.steady());
    on_message();
    return kept;
}

}  // namespace rollcall::sim
