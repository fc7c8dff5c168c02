#include "mirror/mirror_user.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "mirror/auth_id.hpp"
#include "mirror/ends.hpp"
#include "mirror/plan.hpp"

#include <expected>
#include <optional>
#include <utility>

namespace rollcall::mirror {
namespace {

using jobs::Failed;
using jobs::Outcome;
using supabase::AuthChange;
using supabase::AuthError;
using supabase::AuthUser;

// A step of an attempt: its value, or the attempt's end.
template <class T>
using Step = std::expected<T, Outcome>;

// Writes of one attempt: the first, one after the cause of a refusal was found, and one more where
// that led from the update to the creation.
constexpr int writes_max = 3;
constexpr std::string_view no_identity = "no_email_or_phone";

std::unexpected<Outcome> ends(Outcome outcome) {
    return std::unexpected(std::move(outcome));
}

// Nobody's, and of every kind of character that an Auth may ask for, in less than its 72.
std::string new_password() {
    constexpr std::size_t bytes = 32;
    return crypto::base64_encode(crypto::random_bytes(bytes)) + "aA0!";
}

std::string name(std::string_view kind, std::string_view id) {
    return std::string(kind) + " " + std::string(id);
}

}  // namespace

// One run of a job.
class MirrorUser::Attempt {
public:
    Attempt(MirrorUser& mirror, const jobs::Job& job)
        : mirror_(mirror),
          copies_(mirror.neighbours_.copies),
          auth_(mirror.neighbours_.auth),
          job_(job),
          clerk_id_(job.subject) {}

    Task<Outcome> run();

private:
    Task<Outcome> step();
    Task<Outcome> remove();
    Task<Outcome> not_removed(const AuthError& error);
    Task<Outcome> copy();
    Task<supabase::AuthResult<AuthUser>> send(const AuthChange& change);
    Task<Step<AuthChange>> identify();
    Task<Step<std::optional<std::string>>> phone();
    // What makes the next write worth a try; or the end.
    Task<Step<void>> mend(const AuthError& error, const AuthChange& change);
    Task<Step<void>> make_way(const AuthError& error, const AuthChange& change);
    // The end, with all written that Auth takes.
    Task<Outcome> refused(const AuthError& error, const AuthChange& change);
    Task<Step<void>> write_the_rest(AuthChange change);
    Task<Step<void>> look(const AuthError& error, const AuthChange& change);
    Task<Step<void>> take_over(const AuthUser& user);
    Task<Step<void>> must_be_proven(const AuthUser& user);
    Task<Step<void>> lock_out(const std::string& id);
    Task<Step<void>> adopt(const AuthUser& user, Copies::Password password);
    Task<Outcome> skip();
    Outcome done(MirrorAction action);
    Outcome conflict(std::string with);
    Outcome soft_deleted();
    // Asked before each write of the copy. In the database too, which also forgets what is known of
    // the copy, and remembers that the write may come late.
    Task<bool> may_write();
    // That the ends of all writes were heard.
    Task<> heard();
    // How long there is no knowing what the copy is; or the end.
    Task<Step<void>> settled();
    [[nodiscard]] bool holds() const { return mirror_.holds_(job_); }
    // The attempt's, by what its last request was answered.
    [[nodiscard]] Outcome end_at(const AuthError& error);

    MirrorUser& mirror_;
    Copies& copies_;
    supabase::AuthApi& auth_;
    const jobs::Job& job_;
    const std::string& clerk_id_;
    directory::MirroredRow row_;
    std::string id_;              // of the Auth user
    bool known_ = false;          // that there is one, and that it is ours
    std::optional<Doubt> doubt_;  // a write has begun, and nobody has told the database of its end
    bool unheard_ = false;        // its end is not known here either
    MirrorAction action_ = MirrorAction::updated;
};

MirrorUser::MirrorUser(Neighbours neighbours, std::function<bool(const jobs::Job&)> holds)
    : neighbours_(neighbours),
      holds_(std::move(holds)),
      holders_(neighbours.pool, neighbours.outbox, neighbours.copies, neighbours.auth),
      proof_(neighbours.pool, neighbours.clerk) {}

Task<Outcome> MirrorUser::handle(const jobs::Job& job) {
    Attempt attempt(*this, job);
    co_return co_await attempt.run();
}

Task<> MirrorUser::lost(const jobs::Job& job) {
    co_await neighbours_.outbox.arm_lost(neighbours_.pool, job.subject);
}

Task<Outcome> MirrorUser::Attempt::run() {
    Outcome end = co_await step();
    co_await heard();
    co_return end;
}

Task<Outcome> MirrorUser::Attempt::step() {
    row_ = co_await mirror_.neighbours_.outbox.row(mirror_.neighbours_.pool, clerk_id_);
    failpoint("mirror.after_row");
    known_ = !known_id(row_).empty();
    id_ = known_ ? std::string(known_id(row_)) : auth_id_of(clerk_id_);
    switch (first_step(row_)) {
        case FirstStep::wait:
            co_return later(name("Clerk user", clerk_id_) +
                            " has no row, and nothing says that they were deleted");
        case FirstStep::remove:
            co_return co_await remove();
        case FirstStep::nothing:
            co_return done(MirrorAction::unchanged);
        case FirstStep::ask:
        case FirstStep::write:
            break;
    }
    co_return co_await copy();
}

Task<bool> MirrorUser::Attempt::may_write() {
    if (!holds()) co_return false;
    const auto doubt = co_await copies_.writing(job_);
    if (!doubt) co_return false;
    // Of the writes of this attempt those before this one have ended.
    const bool ours = doubt_ && doubt->before == doubt_->until;
    doubt_ = Doubt{.until = doubt->until, .before = ours ? doubt_->before : doubt->before};
    co_return holds();
}

Task<> MirrorUser::Attempt::heard() {
    if (!doubt_ || unheard_) co_return;
    co_await copies_.heard(clerk_id_, *doubt_);
    doubt_.reset();
}

Task<Step<void>> MirrorUser::Attempt::settled() {
    co_await heard();
    const auto unsure = co_await copies_.unsure(job_);
    if (!unsure) co_return ends(lease_lost());
    if (unsure->count() > 0) co_return ends(look_again(*unsure));
    co_return Step<void>();
}

Task<Outcome> MirrorUser::Attempt::remove() {
    const auto user = co_await auth_.get(id_);
    if (!user) co_return end_at(user.error());
    bool ours = false;
    if (*user) {
        const Owner owner = owner_of(**user, clerk_id_);
        // By its id it is the one that was made for this user, whatever became of its metadata.
        ours = owner == Owner::ours || (owner == Owner::nobody && id_ == auth_id_of(clerk_id_));
        // Theirs all the same: it was taken over, and somebody took its mark away since. But not
        // where the adoption got no further than its note.
        if (!ours && owner == Owner::nobody && known_ && !row_.adopting) {
            co_return conflict("the user is deleted, but " + name("Auth user", id_) +
                               ", which was adopted, bears no Clerk id any more and is left "
                               "alone; delete it by hand, or give it its clerk_id and retry");
        }
        if (!ours) log::info("mirror_user_not_ours", {{"clerk_id", clerk_id_}, {"auth_id", id_}});
    }
    if (ours) {
        if (!co_await may_write()) co_return lease_lost();
        const auto removed = co_await auth_.remove(id_);
        failpoint("mirror.after_remove");
        unheard_ = !removed && removed.error().outcome_unknown();
        if (!removed) co_return co_await not_removed(removed.error());
    }
    const auto known = co_await settled();
    if (!known) co_return known.error();
    if (!co_await copies_.forget(job_)) co_return lease_lost();
    co_return done(ours ? MirrorAction::removed : MirrorAction::unchanged);
}

// Until a person helps, the account that stays is nobody's: no way in, no role, name or address.
// That this could be written shows that Auth refuses the removal, and not every write.
Task<Outcome> MirrorUser::Attempt::not_removed(const AuthError& error) {
    if (error.passes()) co_return end_at(error);
    AuthChange nobody{.clerk_id = clerk_id_, .email = placeholder_address(id_), .banned = true};
    if (!co_await may_write()) co_return lease_lost();
    const auto banned = co_await auth_.update(id_, std::move(nobody));
    unheard_ = !banned && banned.error().outcome_unknown();
    if (!banned && banned.error().passes()) co_return end_at(banned.error());
    const bool opaque = error.fault == supabase::AuthFault::opaque;
    if (!banned && opaque) co_return end_at(error);
    if (banned) mirror_.blame_.worked(clerk_id_);
    std::string reason = "the user is deleted, but " + name("Auth user", id_) +
                         (banned ? ", banned by now, " : " ") + "is not removed: " + error.message +
                         "; delete what refers to it in other tables without ON DELETE CASCADE, "
                         "and the storage objects it owns, then retry";
    if (opaque) co_return again(name("Clerk user", clerk_id_) + ": " + reason);
    co_return conflict(std::move(reason));
}

Task<Outcome> MirrorUser::Attempt::copy() {
    const auto change = co_await identify();
    if (!change) co_return change.error();
    if (!known_ && !change->email && !change->phone) co_return co_await skip();
    for (int writes = 0; writes < writes_max; ++writes) {
        if (!co_await may_write()) co_return lease_lost();
        const auto sent = co_await send(*change);
        if (sent && sent->soft_deleted) co_return soft_deleted();
        if (sent) break;
        unheard_ = sent.error().outcome_unknown();
        if (writes + 1 == writes_max) co_return co_await refused(sent.error(), *change);
        const auto mended = co_await mend(sent.error(), *change);
        if (!mended) co_return mended.error();
    }
    failpoint("mirror.before_written");
    const auto unsure = co_await copies_.written(job_, id_, row_.content_hash, *doubt_);
    if (!unsure) co_return lease_lost();
    doubt_.reset();
    mirror_.blame_.worked(clerk_id_);
    if (unsure->count() > 0) co_return look_again(*unsure);
    co_return done(action_);
}

Task<supabase::AuthResult<AuthUser>> MirrorUser::Attempt::send(const AuthChange& change) {
    if (known_) {
        auto updated = co_await auth_.update(id_, change);
        failpoint("mirror.after_update");
        co_return updated;
    }
    failpoint("mirror.before_create");
    auto created = co_await auth_.create(id_, change);
    failpoint("mirror.after_create");
    if (created) action_ = MirrorAction::created;
    co_return created;
}

// Without an address a user is identified by the phone number, which Clerk is asked for: the table
// has none. An Auth user who is there, even if nobody heard so, keeps no address that the row has
// no more.
Task<Step<AuthChange>> MirrorUser::Attempt::identify() {
    AuthChange change = change_of(clerk_id_, row_);
    if (change.email) co_return change;
    auto number = co_await phone();
    if (!number) co_return ends(std::move(number.error()));
    change.phone = *std::move(number);
    if (!known_ && change.phone) co_return change;
    const auto user = co_await auth_.get(id_);
    if (!user) co_return ends(end_at(user.error()));
    known_ = *user && (known_ || owner_of(**user, clerk_id_) == Owner::ours);
    if (!known_) {
        id_ = auth_id_of(clerk_id_);
    } else if (!(*user)->email.empty()) {
        change.email = placeholder_address(id_);
    }
    co_return change;
}

Task<Step<std::optional<std::string>>> MirrorUser::Attempt::phone() {
    clerk::BackendApi* const clerk = mirror_.neighbours_.clerk;
    if (clerk == nullptr) co_return std::nullopt;
    const auto user = co_await clerk->get_user(clerk_id_);
    if (!user) co_return ends(later(user.error().message));
    if (!*user) co_return std::nullopt;
    co_return (*user)->phone;
}

Task<Step<void>> MirrorUser::Attempt::mend(const AuthError& error, const AuthChange& change) {
    // Beside a number the address is a placeholder, which nobody else has.
    const bool by_email = change.email && !change.phone;
    switch (known_ ? after_update(error, by_email) : after_create(error)) {
        case AfterRefusal::create:
            known_ = false;
            id_ = auth_id_of(clerk_id_);
            if (!change.email && !change.phone) co_return ends(co_await skip());
            co_return Step<void>();
        case AfterRefusal::look:
            co_return co_await look(error, change);
        case AfterRefusal::make_way:
            co_return co_await make_way(error, change);
        case AfterRefusal::later:
        case AfterRefusal::give_up:
            break;
    }
    co_return ends(co_await refused(error, change));
}

// Whatever a POST was answered: it may be our own of before that is in the way.
Task<Step<void>> MirrorUser::Attempt::look(const AuthError& error, const AuthChange& change) {
    const auto user = co_await auth_.get(id_);
    if (!user) co_return ends(end_at(user.error()));
    if (!*user) {
        if (after_look(error, change.email.has_value()) == AfterRefusal::make_way) {
            co_return co_await make_way(error, change);
        }
        co_return ends(end_at(error));
    }
    if ((*user)->soft_deleted) co_return ends(soft_deleted());
    if (owner_of(**user, clerk_id_) == Owner::another) {
        co_return ends(conflict(name("Auth user", id_) + " has this user's id and is " +
                                name("Clerk user", (*user)->clerk_id) + "'s"));
    }
    unheard_ = false;  // they are there: that POST is done, or will be refused
    known_ = true;
    action_ = MirrorAction::created;
    co_return Step<void>();
}

Task<Step<void>> MirrorUser::Attempt::make_way(const AuthError& error, const AuthChange& change) {
    auto holder =
        co_await mirror_.holders_.make_way(*change.email, clerk_id_, [this] { return holds(); });
    if (!holder) co_return ends(co_await refused(holder.error(), change));
    const AuthUser& user = holder->user;
    switch (holder->kind) {
        case Holder::Kind::nobody:
        case Holder::Kind::moved:
            co_return Step<void>();
        case Holder::Kind::ours:
            if (!known_) co_return co_await adopt(user, Copies::Password::kept);
            if (user.id == id_) co_return ends(co_await refused(error, change));
            break;
        case Holder::Kind::unclaimed:
            if (!known_) co_return co_await take_over(user);
            break;
        case Holder::Kind::stands:
            break;
    }
    if (known_) {
        auto rest = co_await write_the_rest(change);
        if (!rest) co_return rest;
    }
    std::string whose = name("Auth user", user.id);
    if (!user.clerk_id.empty()) whose += " of " + name("Clerk user", user.clerk_id);
    co_return ends(conflict(whose + " has this user's address" +
                            (known_ ? "; theirs is " + name("Auth user", id_) : "")));
}

Task<Outcome> MirrorUser::Attempt::refused(const AuthError& error, const AuthChange& change) {
    const bool of_the_user = !error.passes() && error.fault != supabase::AuthFault::not_found;
    if (!known_ || !of_the_user || (!change.email && !change.phone)) co_return end_at(error);
    auto rest = co_await write_the_rest(change);
    if (!rest) co_return rest.error();
    const std::string what = change.phone ? "phone number" : "address";
    std::string reason = error.message + "; all but the " + what + " is written";
    if (error.fault == supabase::AuthFault::opaque) co_return again(std::move(reason));
    co_return conflict(std::move(reason));
}

// A ban, a role and a name do not wait until a person has settled whose an address is, or that Auth
// takes it. Beside a number the address is our own.
Task<Step<void>> MirrorUser::Attempt::write_the_rest(AuthChange change) {
    (change.phone ? change.phone : change.email).reset();
    if (!co_await may_write()) co_return ends(lease_lost());
    const auto updated = co_await send(change);
    unheard_ = !updated && updated.error().outcome_unknown();
    if (!updated) co_return ends(end_at(updated.error()));
    mirror_.blame_.worked(clerk_id_);
    co_return Step<void>();
}

// An Auth user of nobody's goes by the address to who has proven it: to Clerk now, and to Auth
// before. Whom Auth never had prove it may be anybody, and keeps no way in.
Task<Step<void>> MirrorUser::Attempt::take_over(const AuthUser& user) {
    auto proven = co_await must_be_proven(user);
    if (!proven) co_return proven;
    if (user.email_confirmed) co_return co_await adopt(user, Copies::Password::kept);
    auto locked_out = co_await lock_out(user.id);
    if (!locked_out) co_return locked_out;
    co_return co_await adopt(user, Copies::Password::replaced);
}

// Before the adoption is noted: after a crash all of this comes again. A new password ends sessions
// and what was sent to change the address or the number; another sign-in nobody can take away.
Task<Step<void>> MirrorUser::Attempt::lock_out(const std::string& id) {
    const auto user = co_await auth_.get(id);
    if (!user) co_return ends(end_at(user.error()));
    if (!*user) co_return ends(later(name("Auth user", id) + " has gone meanwhile"));
    const std::string& sign_in = (*user)->other_sign_in;
    if (!sign_in.empty() || !(*user)->phone.empty()) {
        co_return ends(conflict(name("Auth user", id) +
                                " has this user's address, which Supabase "
                                "Auth never confirmed, and could still sign in by " +
                                (sign_in.empty() ? "a phone number" : sign_in) +
                                "; delete it by hand, or confirm its address if the person is the "
                                "same, and retry"));
    }
    if (!co_await may_write()) co_return ends(lease_lost());
    const auto set = co_await auth_.set_password(id, new_password());
    unheard_ = !set && set.error().outcome_unknown();
    if (!set) co_return ends(end_at(set.error()));
    co_return Step<void>();
}

// From now on this is the user's Auth user.
Task<Step<void>> MirrorUser::Attempt::adopt(const AuthUser& user, Copies::Password password) {
    switch (co_await copies_.adopt(job_, user.id, password)) {
        case Copies::Adoption::lost:
            co_return ends(lease_lost());
        case Copies::Adoption::taken:
            // By Auth nobody's: that one's adoption is under way, or comes to nothing.
            co_return ends(
                again(name("Auth user", user.id) + " is another Clerk user's copy already"));
        case Copies::Adoption::noted:
            break;
    }
    id_ = user.id;
    known_ = true;
    action_ = MirrorAction::adopted;
    co_return Step<void>();
}

Task<Step<void>> MirrorUser::Attempt::must_be_proven(const AuthUser& user) {
    Proof proof = co_await mirror_.proof_.of(clerk_id_, row_.email);
    const std::string whose = name("Auth user", user.id) + " has this user's address, ";
    switch (proof.kind) {
        case Proof::Kind::given:
            break;
        case Proof::Kind::refused:
            co_return ends(conflict(whose + "which Clerk has not verified"));
        case Proof::Kind::none:
            co_return ends(conflict(whose +
                                    "and nothing says that Clerk has verified it: set "
                                    "clerk.secret_key, or give the Auth user this clerk_id in "
                                    "app_metadata, and retry"));
        case Proof::Kind::later:
            co_return ends(later(std::move(proof.reason)));
    }
    co_return Step<void>();
}

Task<Outcome> MirrorUser::Attempt::skip() {
    const auto known = co_await settled();
    if (!known) co_return known.error();
    if (!co_await copies_.skip(job_, id_, no_identity)) co_return lease_lost();
    co_return done(MirrorAction::skipped);
}

Outcome MirrorUser::Attempt::end_at(const AuthError& error) {
    const bool opaque = error.fault == supabase::AuthFault::opaque;
    if (opaque && !mirror_.blame_.failed(clerk_id_)) return later(error.message);
    return end_of(error);
}

Outcome MirrorUser::Attempt::done(MirrorAction action) {
    mirror_.neighbours_.metrics.done(action);
    const std::string what(to_string(action));
    log::debug("mirror_user_" + what, {{"clerk_id", clerk_id_}, {"auth_id", id_}});
    std::string result = R"({"action":")" + what + '"';
    if (action == MirrorAction::skipped) {
        result += R"(,"reason":")" + std::string(no_identity) + '"';
    } else {
        result += R"(,"auth_id":")" + id_ + '"';
    }
    return jobs::Completed{result + "}"};
}

Outcome MirrorUser::Attempt::soft_deleted() {
    return conflict(name("Auth user", id_) +
                    " is soft-deleted there and keeps the id; delete it for good, then retry this "
                    "job");
}

Outcome MirrorUser::Attempt::conflict(std::string with) {
    std::string reason = name("Clerk user", clerk_id_) + ": " + std::move(with);
    log::warn("mirror_conflict", {{"clerk_id", clerk_id_}, {"reason", reason}});
    return Failed{std::move(reason)};
}

}  // namespace rollcall::mirror
