// The fail points of rollcall_faults. ROLLCALL_FAILPOINT="name:action[:n] …" arms them: at the n-th
// time (the first unless said) that the program comes to the place, it
//   abort        kills itself with SIGKILL: nothing is flushed, nothing is drained
//   stop         stops itself with SIGSTOP, until somebody sends SIGCONT
//   sleep=500ms  blocks the thread for so long
//   throw        throws Unavailable
// A value that is not understood, or a name that no place has, ends it with 78 before it begins.
#include "base/clock.hpp"
#include "base/failpoint.hpp"
#include "base/result.hpp"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <optional>
#include <string>
#include <thread>

namespace rollcall {
namespace {

constexpr std::array<std::string_view, 48> names{
    "webhook.verified",           //
    "intake.before_commit",       //
    "intake.after_commit",        //
    "apply.before_batch",         //
    "apply.after_batch",          //
    "worker.after_claim",         //
    "worker.before_end",          //
    "worker.after_end",           //
    "pass.after_page",            //
    "pass.before_save",           //
    "pass.before_completed",      //
    "journal.before_write",       //
    "journal.half_written",       //
    "journal.before_sync",        //
    "journal.after_sync",         //
    "spooling.after_commit",      //
    "mirror.after_row",           //
    "mirror.before_create",       //
    "mirror.after_create",        //
    "mirror.after_update",        //
    "mirror.before_written",      //
    "mirror.after_remove",        //
    "mirror.after_move",          //
    "decide.before_target",       //
    "decide.before_rule",         //
    "decide.before_token",        //
    "decide.before_memory",       //
    "token.before_keys",          //
    "token.before_signature",     //
    "token.before_claims",        //
    "token.before_rules",         //
    "decide.before_keep",         //
    "decide.before_caller",       //
    "decide.before_question",     //
    "decide.after_question",      //
    "decide.before_provision",    //
    "decide.before_standing",     //
    "decide.before_identity",     //
    "decide.before_answer",       //
    "proxy.before_forward",       //
    "exchange.before_request",    //
    "exchange.before_subject",    //
    "exchange.before_caller",     //
    "exchange.before_standing",   //
    "exchange.before_claims",     //
    "exchange.before_key",        //
    "exchange.before_signature",  //
    "exchange.before_answer",     //
};

enum class Action : std::uint8_t { abort, stop, sleep, raise };

struct Armed {
    std::string name;
    Action action = Action::abort;
    std::chrono::milliseconds pause{0};
    std::atomic<int> left{1};  // a place may be come to by several threads
};

[[noreturn]] void refuse(std::string_view text) {
    std::fprintf(stderr, "ROLLCALL_FAILPOINT: not understood: %.*s\n",
                 static_cast<int>(text.size()), text.data());
    _exit(78);
}

// What stands before `mark`, which is taken away too; all of it where there is none.
std::string_view take_until(std::string_view& text, char mark) {
    const auto end = std::min(text.find(mark), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

void arm(std::deque<Armed>& armed, std::string_view one) {
    auto rest = one;
    Armed& point = armed.emplace_back();
    point.name = take_until(rest, ':');
    if (std::ranges::find(names, point.name) == names.end()) refuse(one);
    auto action = take_until(rest, ':');
    const auto kind = take_until(action, '=');
    if (kind == "sleep") {
        const auto pause = parse_duration(action);
        if (!pause) refuse(one);
        point.action = Action::sleep;
        point.pause = *pause;
    } else if (kind == "stop") {
        point.action = Action::stop;
    } else if (kind == "throw") {
        point.action = Action::raise;
    } else if (kind != "abort") {
        refuse(one);
    }
    if (rest.empty()) return;
    int times = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), times);
    if (error != std::errc() || end != rest.data() + rest.size() || times < 1) refuse(one);
    point.left = times;
}

std::deque<Armed> read() {
    std::deque<Armed> armed;
    const char* const value = std::getenv("ROLLCALL_FAILPOINT");
    std::string_view rest = value == nullptr ? "" : value;
    while (!rest.empty()) {
        const auto one = take_until(rest, ' ');
        if (!one.empty()) arm(armed, one);
    }
    return armed;
}

// Before main(), so that a mistake shows at once.
std::deque<Armed> armed_points = read();

void strike(const Armed& point) {
    switch (point.action) {
        case Action::abort:
            kill(getpid(), SIGKILL);
            return;
        case Action::stop:
            kill(getpid(), SIGSTOP);
            return;
        case Action::sleep:
            std::this_thread::sleep_for(point.pause);
            return;
        case Action::raise:
            std::fprintf(stderr, "fail point %s\n", point.name.c_str());
            throw Unavailable("fail point " + point.name);
    }
}

}  // namespace

void failpoint(std::string_view name) {
    for (Armed& point : armed_points) {
        if (point.name == name && --point.left == 0) strike(point);
    }
}

}  // namespace rollcall
