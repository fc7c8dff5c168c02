#include "cli/settings.hpp"

#include "cli/defaults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace rollcall::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SettingsTest : public testing::Test {
protected:
    SettingsTest() {
        folder_ = std::filesystem::temp_directory_path() /
                  ("rollcall-settings-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder_);
    }
    ~SettingsTest() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        const auto path = (folder_ / name).string();
        std::ofstream(path) << text;
        return path;
    }
    void file(const std::string& text) { input_.file = write("test.toml", text); }
    Settings load() {
        auto settings = Settings::load(input_);
        EXPECT_TRUE(settings) << settings.error().message;
        return *settings;
    }
    std::string refusal() {
        const auto settings = Settings::load(input_);
        EXPECT_FALSE(settings);
        if (settings) return "";
        EXPECT_EQ(settings.error().code, ErrorCode::bad_configuration);
        return settings.error().message;
    }

    SettingsInput input_;
    Environment& environment_ = input_.environment;
    std::filesystem::path folder_;
};

TEST_F(SettingsTest, DefaultsDocumentEveryKeyAndNoOther) {
    const Settings settings = load();  // an undocumented key fails here, by load()
    for (const SettingKey& key : setting_keys()) {
        EXPECT_EQ(settings.get(key.name).source, "default") << key.name;
        EXPECT_THAT(std::string(default_settings()),
                    HasSubstr("\n" + std::string(key.name.substr(key.name.find('.') + 1)) + " = "));
    }
}

TEST_F(SettingsTest, FlagsGoOverEnvironmentOverFileOverDefaults) {
    EXPECT_EQ(load().text("serve.listen"), "127.0.0.1:8080");
    file("[serve]\nlisten = \"127.0.0.1:1\"\n");
    EXPECT_EQ(load().text("serve.listen"), "127.0.0.1:1");
    EXPECT_THAT(load().get("serve.listen").source, HasSubstr("test.toml:2"));
    environment_["ROLLCALL_SERVE_LISTEN"] = "127.0.0.1:2";
    EXPECT_EQ(load().text("serve.listen"), "127.0.0.1:2");
    environment_["ROLLCALL_LISTEN"] = "127.0.0.1:3";
    EXPECT_EQ(load().text("serve.listen"), "127.0.0.1:3");
    input_.flags["serve.listen"] = "127.0.0.1:4";
    EXPECT_EQ(load().text("serve.listen"), "127.0.0.1:4");
    EXPECT_EQ(load().get("serve.listen").source, "flag");
}

TEST_F(SettingsTest, EnvironmentListsAreSeparatedBySpaces) {
    environment_["CLERK_WEBHOOK_SECRET"] = "whsec_a  whsec_b";
    environment_["ROLLCALL_SERVE_ROLES"] = "ingest worker";
    EXPECT_THAT(load().list("clerk.webhook_secret"), ElementsAre("whsec_a", "whsec_b"));
    EXPECT_THAT(load().list("serve.roles"), ElementsAre("ingest", "worker"));
}

TEST_F(SettingsTest, SecondNameOfTheWebhookSecretIsRead) {
    environment_["CLERK_WEBHOOK_SIGNING_SECRET"] = "whsec_b";
    EXPECT_THAT(load().list("clerk.webhook_secret"), ElementsAre("whsec_b"));
    environment_["CLERK_WEBHOOK_SECRET"] = "whsec_a";
    EXPECT_THAT(load().list("clerk.webhook_secret"), ElementsAre("whsec_a"));
}

TEST_F(SettingsTest, SecretsComeFromFilesToo) {
    environment_["DATABASE_URL_FILE"] = write("url", "postgresql:///a\n");
    EXPECT_EQ(load().text("database.url"), "postgresql:///a");
    file("[clerk]\nsecret_key_file = \"" + write("key", "sk_test_1\n") + "\"\n");
    EXPECT_EQ(load().text("clerk.secret_key"), "sk_test_1");
    environment_["DATABASE_URL_FILE"] = "/does/not/exist";
    EXPECT_THAT(refusal(), HasSubstr("DATABASE_URL_FILE: database.url: cannot read"));
    environment_["DATABASE_URL_FILE"] = folder_.string();
    EXPECT_THAT(refusal(), HasSubstr("DATABASE_URL_FILE: database.url: cannot read"));
    input_.file = folder_.string();
    EXPECT_THAT(refusal(), HasSubstr("cannot read the configuration file"));
}

TEST_F(SettingsTest, CredentialsStandBetweenEnvironmentAndFile) {
    environment_["CREDENTIALS_DIRECTORY"] = folder_.string();
    file("[clerk]\nsecret_key = \"sk_test_file\"\n");
    EXPECT_EQ(load().text("clerk.secret_key"), "sk_test_file");
    write("clerk_secret_key", "sk_test_credential\n");
    write("rollcall_admin_token", "token\n");
    write("clerk_webhook_secret", "whsec_a whsec_b\n");
    const Settings settings = load();
    EXPECT_EQ(settings.text("clerk.secret_key"), "sk_test_credential");
    EXPECT_EQ(settings.get("clerk.secret_key").source, "credential clerk_secret_key");
    EXPECT_EQ(settings.text("admin.token"), "token");
    EXPECT_THAT(settings.list("clerk.webhook_secret"), ElementsAre("whsec_a", "whsec_b"));
    environment_["CLERK_SECRET_KEY"] = "sk_test_environment";
    EXPECT_EQ(load().text("clerk.secret_key"), "sk_test_environment");
}

TEST_F(SettingsTest, ACredentialThatSaysNothingIsNone) {
    environment_["CREDENTIALS_DIRECTORY"] = folder_.string();
    write("clerk_secret_key", "\n");
    write("rollcall_serve_listen", "127.0.0.1:1\n");  // no secret
    EXPECT_EQ(load().get("clerk.secret_key").source, "default");
    EXPECT_EQ(load().get("serve.listen").source, "default");
    std::filesystem::create_directory(folder_ / "cron_secret");
    EXPECT_THAT(refusal(), HasSubstr("credential cron_secret: cron.secret: cannot read"));
}

TEST_F(SettingsTest, OnlySecretsComeFromFiles) {
    file("[serve]\nlisten_file = \"x\"\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: serve.listen_file: there is no such key"));
}

TEST_F(SettingsTest, UnknownKeysAreNamedWithFileAndLine) {
    file("[serve]\n\nlissten = \"x\"\n");
    EXPECT_THAT(refusal(),
                HasSubstr("test.toml:3: serve.lissten: there is no such key; is it serve.listen?"));
    file("[sevre]\nlisten = \"x\"\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: sevre.listen: there is no such key"));
    file("listen = \"x\"\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:1: listen: every key belongs to a [section]"));
}

TEST_F(SettingsTest, WrongTypesAreNamedWithTheFormWanted) {
    file("[jobs]\nlease = 15\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: jobs.lease: must be a duration"));
    file("[jobs]\nlease = \"15\"\n");
    EXPECT_THAT(refusal(), HasSubstr("must be a duration"));
    file("[jobs]\nbatch = \"many\"\n");
    EXPECT_THAT(refusal(), HasSubstr("jobs.batch: must be a whole number"));
    file("[serve]\nroles = \"ingest\"\n");
    EXPECT_THAT(refusal(), HasSubstr("serve.roles: must be a list of strings"));
    file("[serve]\nroles = [1]\n");
    EXPECT_THAT(refusal(), HasSubstr("serve.roles: must be a list of strings"));
    file("[database]\nprepared_statements = \"yes\"\n");
    EXPECT_THAT(refusal(), HasSubstr("must be true or false"));
    input_.file.clear();
    environment_["ROLLCALL_JOBS_LEASE"] = "soon";
    EXPECT_THAT(
        refusal(),
        HasSubstr("environment ROLLCALL_JOBS_LEASE: jobs.lease: \"soon\" is not a duration"));
}

// toml++ 3.3 runs into undefined behaviour at some of these letters, were it given them.
TEST_F(SettingsTest, LettersBeyondAscii) {
    file("[clerk] # \xD1\xB9\napi_url = \"https://\xC3\xA9~.example.com/~C3\"\n");
    EXPECT_EQ(load().text("clerk.api_url"), "https://\xC3\xA9~.example.com/~C3");
    file("[serve]\n\xD1\xB9 = 1\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: "));
    file("[serve]\n\"\xC3\xA9\" = 1\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: serve.\xC3\xA9: there is no such key"));
    file("[serve]\nlisten = \"\xFF\"\n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml: the file is not UTF-8"));
}

TEST_F(SettingsTest, MalformedAndMissingFilesAreNamed) {
    file("[serve]\nlisten = \n");
    EXPECT_THAT(refusal(), HasSubstr("test.toml:2: "));
    input_.file = "/does/not/exist.toml";
    EXPECT_THAT(refusal(), HasSubstr("/does/not/exist.toml: cannot read"));
}

TEST_F(SettingsTest, EmptyEnvironmentVariablesCountAsAbsent) {
    environment_["ROLLCALL_LISTEN"] = "";
    EXPECT_EQ(load().get("serve.listen").source, "default");
}

// A default in place of what somebody set, without a word, is the worst answer.
TEST_F(SettingsTest, AnUnknownVariableOfAKnownSectionIsRefusedWithTheNearest) {
    const auto refused = [&](const std::string& name, const std::string& words) {
        environment_ = {{name, "x"}};
        const std::string message = refusal();
        EXPECT_THAT(message, HasSubstr("environment " + name + ": there is no such key"));
        EXPECT_THAT(message, HasSubstr(words));
    };
    refused("ROLLCALL_JOBS_LEESE", "is it ROLLCALL_JOBS_LEASE?");
    refused("ROLLCALL_DATABASE_MAX_CONNECTIONS", "is it ROLLCALL_DATABASE_CONNECTIONS_MAX?");
    refused("ROLLCALL_USERS_ROLES_COLUMN", "is it ROLLCALL_USERS_ROLE_COLUMN?");
    refused("ROLLCALL_ADMIN_TOKEN_FILES", "is it ROLLCALL_ADMIN_TOKEN_FILE?");
    refused("ROLLCALL_SERVE_LISTEN_FILE", "is it ROLLCALL_SERVE_LISTEN?");
    refused("ROLLCALL_LOG_COLOUR_SCHEME", "see section [log] of rollcall.toml");
}

TEST_F(SettingsTest, OtherVariablesWithThePrefixAreNobodysSettings) {
    environment_ = {
        {"ROLLCALL_CONFIG", "x"},
        {"ROLLCALL_BINARY", "/x"},
        {"ROLLCALL_TESTS_SEED", "7"},
        {"ROLLCALL_JOBS_SOMETHING", ""},
        {"JOBS_LEESE", "x"},
        {"ROLLCALL_ADMIN_TOKEN_FILE", write("token", "t\n")},
        // What Kubernetes writes for services rollcall, rollcall-admin, rollcall-jobs-ui.
        {"ROLLCALL_SERVICE_HOST", "10.0.0.1"},
        {"ROLLCALL_PORT", "tcp://10.0.0.1:80"},
        {"ROLLCALL_ADMIN_SERVICE_HOST", "10.0.0.1"},
        {"ROLLCALL_ADMIN_SERVICE_PORT", "80"},
        {"ROLLCALL_ADMIN_SERVICE_PORT_HTTP", "80"},
        {"ROLLCALL_ADMIN_PORT", "tcp://10.0.0.1:80"},
        {"ROLLCALL_ADMIN_PORT_80_TCP", "tcp://10.0.0.1:80"},
        {"ROLLCALL_ADMIN_PORT_80_TCP_ADDR", "10.0.0.1"},
        {"ROLLCALL_JOBS_UI_SERVICE_HOST", "10.0.0.1"}};
    EXPECT_EQ(load().text("admin.token"), "t");
}

TEST_F(SettingsTest, AVariableThatIsNoSettingIsToldOfWithTheNearest) {
    const auto told = [&](const std::string& name, const std::string& value) {
        environment_ = {{name, value}};
        const auto strange = load().strange_variables();
        return strange.size() == 1 && strange[0].name == name ? strange[0].likely : "none told";
    };
    EXPECT_EQ(told("ROLLCALL_ROLES", "ingest"), "ROLLCALL_SERVE_ROLES");
    EXPECT_EQ(told("ROLLCALL_CONNECTIONS_MAX", "3"), "ROLLCALL_DATABASE_CONNECTIONS_MAX");
    EXPECT_EQ(told("ROLLCALL_TOKEN_FILE", "/t"), "ROLLCALL_ADMIN_TOKEN_FILE");
    EXPECT_EQ(told("ROLLCALL_COLOUR_SCHEME", "dark"), "");
    EXPECT_EQ(told("ROLLCALL_PORT", "8080"), "") << "no link of Kubernetes's, which is an address";
}

TEST_F(SettingsTest, WhatIsASettingOrKubernetesWritesIsNotToldOf) {
    environment_ = {{"ROLLCALL_CONFIG", "x"},
                    {"ROLLCALL_MODE", "webhook"},
                    {"ROLLCALL_SERVE_MODE", "webhook"},
                    {"ROLLCALL_LISTEN", "127.0.0.1:0"},
                    {"ROLLCALL_ADMIN_TOKEN_FILE", write("token", "t\n")},
                    {"ROLLCALL_ROLES", ""},
                    {"ROLLCALLER", "x"},
                    {"ROLLCALL_SERVICE_HOST", "10.0.0.1"},
                    {"ROLLCALL_SERVICE_PORT", "80"},
                    {"ROLLCALL_SERVICE_PORT_HTTP", "80"},
                    {"ROLLCALL_PORT", "tcp://10.0.0.1:80"},
                    {"ROLLCALL_PORT_8080_TCP", "tcp://10.0.0.1:8080"},
                    {"ROLLCALL_PORT_8080_TCP_PROTO", "tcp"},
                    {"ROLLCALL_PORT_8080_TCP_PORT", "8080"},
                    {"ROLLCALL_PORT_8080_TCP_ADDR", "10.0.0.1"},
                    {"ROLLCALL_WEB_SERVICE_HOST", "10.0.0.1"}};
    EXPECT_TRUE(load().strange_variables().empty());
}

}  // namespace
}  // namespace rollcall::cli
