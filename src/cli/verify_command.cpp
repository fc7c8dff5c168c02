// rollcall verify webhook: says why a delivery is accepted or refused, on the same code path as the
// service. What else can be verified has files of its own.
#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/verify_policy.hpp"
#include "webhooks/signature.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <charconv>
#include <memory>

namespace rollcall::cli {
namespace {

struct WebhookArguments {
    std::string secret, id, timestamp, signature, file;
    std::optional<std::int64_t> now;
};

std::string_view advice(std::string_view reason) {
    if (reason == "missing_header") return "id, timestamp and signature must all be there";
    if (reason == "bad_timestamp") return "the timestamp must be digits: seconds since 1970";
    if (reason == "stale_timestamp") return "older than 300 s; compare with --now, check the clock";
    if (reason == "future_timestamp") return "more than 300 s ahead; check the clock";
    if (reason == "bad_secret") return "whsec_ and the base64 of at least 24 bytes";
    return "other secret, or the body is not the exact bytes that were sent";
}

int refuse(std::string_view reason, bool json) {
    if (json) {
        fmt::print("{{\"accepted\":false,\"reason\":\"{}\"}}\n", reason);
    } else {
        fmt::print("{}: {}\n", reason, advice(reason));
    }
    return exit_found;
}

int verify_webhook(const WebhookArguments& arguments, bool json) {
    const auto body = read_input(arguments.file);
    if (!body) return report(body.error());
    const auto secrets = webhooks::SigningSecrets::parse(arguments.secret);
    if (!secrets || secrets->size() == 0) return refuse("bad_secret", json);
    const SystemTime now =
        arguments.now ? SystemTime(std::chrono::seconds(*arguments.now)) : real_clock().now();
    const auto verdict = webhooks::verify(
        *secrets, {arguments.id, arguments.timestamp, arguments.signature}, *body, now);
    if (!verdict) return refuse(webhooks::to_string(verdict.error()), json);
    if (json) {
        fmt::print("{{\"accepted\":true,\"reason\":\"ok\",\"secret\":{}}}\n", verdict->slot + 1);
    } else {
        fmt::print("ok: signed with secret {} of {}\n", verdict->slot + 1, secrets->size());
    }
    return exit_ok;
}

}  // namespace

void add_verify_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* verify = app.add_subcommand("verify", "Says why something is accepted or refused");
    verify->require_subcommand(1);
    auto* webhook = verify->add_subcommand(
        "webhook",
        "Checks the Svix signature of one delivery. Prints the reason first: ok, missing_header, "
        "bad_timestamp, stale_timestamp, future_timestamp, no_matching_signature, bad_secret");
    const auto arguments = std::make_shared<WebhookArguments>();
    webhook->add_option("--secret", arguments->secret, "whsec_…; several separated by spaces")
        ->required();
    webhook->add_option("--id", arguments->id, "Header svix-id");
    webhook->add_option("--timestamp", arguments->timestamp, "Header svix-timestamp");
    webhook->add_option("--signature", arguments->signature, "Header svix-signature");
    webhook->add_option("--now", arguments->now, "Seconds since 1970 to judge by, not the clock");
    webhook->add_option("file", arguments->file, "The exact body; - for standard input")
        ->required()
        ->type_name("FILE|-");
    webhook->callback([arguments, &globals, &exit_code] {
        exit_code = verify_webhook(*arguments, globals.json);
    });
    add_verify_token_command(*verify, globals, exit_code);
    add_verify_policy_command(*verify, globals, exit_code);
}

}  // namespace rollcall::cli
