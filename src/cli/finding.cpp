#include "cli/finding.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace rollcall::cli {
namespace {

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warn:
            return "warn";
        case Verdict::fail:
            return "fail";
    }
    return "";
}

}  // namespace

void Findings::ok(std::string check, std::string message) {
    findings_.push_back({std::move(check), Verdict::ok, std::move(message), ""});
}

void Findings::warn(std::string check, std::string message, std::string advice) {
    findings_.push_back({std::move(check), Verdict::warn, std::move(message), std::move(advice)});
}

void Findings::fail(std::string check, std::string message, std::string advice) {
    findings_.push_back({std::move(check), Verdict::fail, std::move(message), std::move(advice)});
}

void Findings::fail(std::string check, const Error& error, std::string advice) {
    if (error.code == ErrorCode::bad_configuration) bad_configuration_ = true;
    fail(std::move(check), error.message, std::move(advice));
}

bool Findings::any_failed() const {
    return std::ranges::any_of(findings_,
                               [](const Finding& f) { return f.verdict == Verdict::fail; });
}

std::string Findings::as_text() const {
    std::string out;
    for (const Finding& finding : findings_) {
        out += fmt::format("{:<5} {:<16} {}\n", to_string(finding.verdict), finding.check,
                           finding.message);
        if (!finding.advice.empty()) out += fmt::format("{:22} -> {}\n", "", finding.advice);
    }
    return out;
}

std::string Findings::as_json() const {
    std::string out = fmt::format("{{\"ok\":{},\"checks\":[", !any_failed());
    for (const Finding& finding : findings_) {
        if (&finding != &findings_.front()) out += ',';
        out += fmt::format(R"({{"check":{},"verdict":"{}","message":{},"advice":{}}})",
                           json_string(finding.check), to_string(finding.verdict),
                           json_string(finding.message), json_string(finding.advice));
    }
    return out + "]}\n";
}

}  // namespace rollcall::cli
