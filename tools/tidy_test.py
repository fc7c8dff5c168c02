#!/usr/bin/env python3
"""Plants a violation of each rule of tools/tidy.py and looks whether it is found, and only it."""

import pathlib
import re
import tempfile
import unittest

import config_docs
import tidy
import tidy_cpp

HEADER = "// What it promises.\n#pragma once\n"


class Planted(unittest.TestCase):
    """Each test writes a small tree and asks what tidy finds in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def found(self, files, whole=False, exceptions=()):
        for path, content in files.items():
            there = self.root / path
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(content if isinstance(content, bytes) else content.encode())
        tree = tidy.Tree(self.root, list(files))
        return sorted({(finding.path, finding.line, finding.rule)
                       for finding in tidy.check(tree, exceptions, whole)})

    def assert_found(self, path, content, line, rule, **options):
        self.assertEqual(self.found({path: content}, **options), [(path, line, rule)])

    def assert_clean(self, path, content):
        self.assertEqual(self.found({path: content}), [])


class Files(Planted):
    def test_large_blob(self):
        self.assert_found("tests/data/a.json", b"x" * (200 * 1024 + 1), 1, "blob")

    def test_unknown_extension(self):
        self.assert_found("src/base/a.orig", "x\n", 1, "extension")

    def test_not_utf8(self):
        self.assert_found("docs/a.txt", b"\xff\n", 1, "encoding")

    def test_no_newline_at_the_end(self):
        self.assert_found("tools/a.py", "x = 1", 1, "final-newline")

    def test_empty_lines_at_the_end(self):
        self.assert_found("tools/a.py", "x = 1\n\n", 2, "final-newline")

    def test_carriage_return(self):
        self.assert_found("tools/a.py", "x = 1\r\n", 1, "line-end")

    def test_trailing_space(self):
        self.assert_found("tools/a.py", "x = 1\ny = 2 \n", 2, "trailing-space")

    def test_tab(self):
        self.assert_found("tools/a.py", "if x:\n\ty = 2\n", 2, "tab")

    def test_long_line(self):
        self.assert_found("tests/e2e/a.mjs", "x" * 101 + "\n", 1, "line-length")
        self.assert_clean("tests/e2e/b.mjs", "x" * 100 + "\n")

    def test_long_files(self):
        line = "// a line\n"
        self.assert_found("src/base/a.cpp", line * 501, 1, "file-length")
        self.assert_clean("src/base/b.cpp", line * 500)
        self.assert_clean("src/base/b_test.cpp", line * 800)
        self.assert_found("tests/e2e/b.test.mjs", line * 801, 1, "file-length")
        self.assert_found("src/base/c.hpp", HEADER + line * 249, 1, "file-length")
        self.assert_found("src/jobs/jobs.sql", "-- a line\n" * 501, 1, "file-length")

    def test_leftover(self):
        for mark in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.assert_found("docs/a.sql", f"-- {mark}: later\n", 1, "leftover")

    def test_registry_host(self):
        self.assert_found("tests/e2e/a.json", '"https://registry.npm' 'js.org/x"\n', 1,
                          "registry-host")

    def test_skipped_test(self):
        for text in ("test.sk" "ip('x', f);", "test('x', {sk" "ip: true}, f);", "it.on" "ly('x');"):
            self.assert_found("tests/e2e/a.test.mjs", text + "\n", 1, "skipped-test")
        for text in ("GTEST_" "SKIP();", "TEST(A, DISABLED" "_B) {}"):
            self.assert_found("src/base/a_test.cpp", text + "\n", 1, "skipped-test")

    def test_data_keeps_its_bytes(self):
        self.assert_clean("tests/data/a.json", b"{} \r\n\t\xff")


class Cpp(Planted):
    def test_upwards(self):
        self.assert_found("src/jobs/a.cpp", '#include "webhooks/b.hpp"\n', 1, "layer")

    def test_sideways(self):
        self.assert_found("src/jobs/a.hpp", HEADER + '#include "directory/b.hpp"\n', 3, "layer")

    def test_downwards_and_own(self):
        self.assert_clean("src/jobs/a.cpp", '#include "jobs/a.hpp"\n#include "pg/pool.hpp"\n')
        self.assert_clean("src/main.cpp", '#include "cli/cli.hpp"\n')

    def test_base_includes_nothing_above(self):
        self.assert_found("src/base/a.cpp", '#include "pg/b.hpp"\n', 1, "layer")

    def test_tests_may_include_anything(self):
        self.assert_clean("src/jobs/a_test.cpp", '#include "webhooks/b.hpp"\n')

    def test_include_without_folder(self):
        self.assert_found("src/jobs/a.cpp", '#include "job.hpp"\n', 1, "include-form")

    def test_include_of_unknown_folder(self):
        self.assert_found("src/jobs/a.cpp", '#include "jbos/job.hpp"\n', 1, "include-form")

    def test_folder_without_layer(self):
        self.assert_found("src/extras/a.cpp", "int x;\n", 1, "layer")

    def test_namespace(self):
        self.assert_found("src/jobs/a.cpp", "namespace rollcall::pg {\nint x;\n}\n", 1, "namespace")
        self.assert_found("src/jobs/b.cpp", "namespace rollcall {\nint x;\n}\n", 1, "namespace")
        self.assert_found("src/base/b.cpp", "namespace rollcall::pg {\nint x;\n}\n", 1, "namespace")
        self.assert_clean("src/jobs/c.cpp", "namespace rollcall::jobs::sql {\nint x;\n}\n")
        self.assert_clean("src/base/c.cpp", "namespace rollcall::log {\nint x;\n}\n")

    def test_forward_declaration_of_another_namespace(self):
        self.assert_clean("src/jobs/a.hpp", HEADER + "namespace rollcall::pg {\nclass Pool;\n}\n")
        self.assert_clean("src/jobs/b.hpp", HEADER + "namespace rollcall::pg { class Pool; }\n")

    def test_header_without_comment(self):
        self.assert_found("src/pg/a.hpp", "\n#pragma once\n", 1, "header-comment")

    def test_header_without_guard(self):
        self.assert_found("src/pg/a.hpp", "// What it promises.\n", 1, "pragma-once")

    def test_using_namespace_in_header(self):
        self.assert_found("src/pg/a.hpp", HEADER + "using namespace std;\n", 3, "using-namespace")

    def test_banned_calls(self):
        for rule, *calls in (
                ("rand", "int x = std::rand();", "srand(1);"),
                ("clock", "auto t = system_clock::now();", "auto t = time(nullptr);"),
                ("getenv", 'auto h = std::getenv("HOME");'),
                ("thread", "std::thread t(f);", "std::jthread t(f);"),
                ("mutex", "std::mutex m;"),
                ("sleep", "std::this_thread::sleep_for(1s);", "usleep(5);"),
                ("print", 'std::printf("x");', 'snprintf(b, 3, "x");', "std::cout << 1;",
                 "std::cerr << 1;", 'fmt::print("x");'),
                ("c-string", "strcpy(a, b);"),
                ("number", "int i = std::stoi(s);", "int i = atoi(s);"),
                ("exit", "exit(1);"),
                ("assert", "assert(x);")):
            for call in calls:
                with self.subTest(call=call):
                    self.assert_found("src/pg/a.cpp", call + "\n", 1, "banned-" + rule)

    def test_calls_that_only_look_banned(self):
        for call in ("co_await sleep(5s);", "job.time(0);", "operand(1);", "clock.now();",
                     "// std::thread is not for us", 'log("exit(1)");', "static_assert(x);",
                     'auto s = R"(std::cout\nassert(x))";', "my_exit(1);", "pool.exit(1);"):
            with self.subTest(call=call):
                self.assert_clean("src/pg/a.cpp", call + "\n")

    def test_where_banned_calls_are_allowed(self):
        self.assert_clean("tests/support/a.cpp", "auto t = std::chrono::system_clock::now();\n")
        self.assert_clean("src/cli/a.cpp", 'auto h = std::getenv("HOME");\n')
        self.assert_clean("src/cli/b.cpp", "std::cout << 1;\n")

    def test_catch(self):
        text = "void f() {\n    try {\n    } catch (...) {\n    }\n}\n"
        self.assert_found("src/jobs/a.cpp", text, 3, "catch")
        self.assert_clean("src/jobs/a_test.cpp", text)

    def test_code_only_keeps_lines(self):
        text = '// a\nx = "b\\"c"; /* d\ne */ y = R"(f\ng)";\nz = \'"\';\n'
        code = tidy_cpp.code_only(text)
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertIsNone(re.search("[a-g]", code))


class WholeTree(Planted):
    """Rules that look at several files; findings about the planted file alone are compared."""

    def whole(self, files, rule):
        return [found[:2] for found in self.found(files, whole=True) if found[2] == rule]

    def test_folder_that_is_no_module(self):
        files = {"CMakeLists.txt": "rollcall_module(base)\n", "src/pg/a.cpp": "int x;\n"}
        self.assertEqual(self.whole(files, "module"), [("CMakeLists.txt", 1)])

    def test_module_that_links_upwards(self):
        files = {"CMakeLists.txt": "rollcall_module(pg USES base jobs LIBRARIES x)\n"}
        self.assertEqual(self.whole(files, "layer"), [("CMakeLists.txt", 1)])

    def test_header_nobody_includes(self):
        files = {"src/pg/a.hpp": HEADER}
        self.assertEqual(self.whole(files, "dead-header"), [("src/pg/a.hpp", 1)])

    def test_page_of_settings_is_stale(self):
        source = '[jobs]\nlease = "15s"  # how long\n'
        files = {"rollcall.toml": source, "docs/configuration.md": config_docs.page(source)}
        self.assertEqual(self.whole(files, "stale"), [])
        files["rollcall.toml"] = source.replace("15s", "16s")
        self.assertEqual(self.whole(files, "stale"), [("docs/configuration.md", 1)])

    def test_setting_that_does_not_exist(self):
        files = {"rollcall.toml": '[jobs]\nlease = "15s"\n',
                 "docs/jobs.md": "# Jobs\n\n`jobs.lease` is not `jobs.loan`.\n"}
        self.assertEqual(self.whole(files, "unknown-setting"), [("docs/jobs.md", 3)])

    def test_action_of_the_audit_log_is_no_setting(self):
        files = {"rollcall.toml": '[jobs]\nlease = "15s"\n',
                 "docs/audit.md": "# Audit log\n\n| `jobs.lent` | `jobs.loan` |\n",
                 "docs/jobs.md": "# Jobs\n\n`jobs.lent` is told of.\n"}
        self.assertEqual(self.whole(files, "unknown-setting"), [("docs/audit.md", 3)])

    def test_metric_that_the_page_lacks(self):
        files = {"src/pg/a.cpp": 'auto n = "rollcall_waits_total";\n',
                 "docs/metrics.md": "# Metrics\n"}
        self.assertEqual(self.whole(files, "undocumented"), [("src/pg/a.cpp", 1)])

    def test_metric_that_nothing_makes(self):
        files = {"docs/metrics.md": "# Metrics\n\n`rollcall_waits_total`\n"}
        self.assertEqual(self.whole(files, "unknown-metric"), [("docs/metrics.md", 3)])

    def test_command_that_no_document_shows(self):
        files = {"src/cli/a.cpp": 'app.add_subcommand("serve", "x");\n'
                                  'app.add_subcommand("doctor", "x");\n',
                 "README.md": "# rollcall\n\nrollcall serve\n"}
        self.assertEqual(self.whole(files, "undocumented"), [("src/cli/a.cpp", 2)])


    def test_failpoints(self):
        files = {"src/pg/a.cpp": 'failpoint("a.one");\nfailpoint("a.two");\nfailpoint("a.two");\n',
                 "tests/support/failpoint_on.cpp": '    "a.one",\n    "a.two",\n',
                 "docs/testing.md": "# Testing\n\n| `a.two`, `a.gone` | when |\n"}
        self.assertEqual(self.whole(files, "failpoint"),
                         [("docs/testing.md", 1), ("src/pg/a.cpp", 1), ("src/pg/a.cpp", 3)])

    def test_faults(self):
        files = {"docs/testing.md": "# Testing\n\n| 1 | no | `a_test.cpp` | |\n\n## Faults\n\n"
                                    "| 1 | one | `a_test.cpp`, `b.test.mjs` | |\n"
                                    "| 2 | two | cannot: too far away | |\n| 4 | four | | |\n",
                 "src/pg/a_test.cpp": "// fault 1\n\n  // fault 2, 4\n",
                 "tests/e2e/b.test.mjs": "// fault 1 or another\n"}
        self.assertEqual(self.whole(files, "fault"),
                         [("docs/testing.md", 1), ("docs/testing.md", 7), ("docs/testing.md", 9),
                          ("src/pg/a_test.cpp", 3)])


class Docs(Planted):
    def test_title(self):
        self.assert_found("docs/a.md", "Text.\n", 1, "markdown-title")
        self.assert_found("docs/b.md", "# One\n\n# Two\n", 3, "markdown-title")
        self.assert_clean("docs/c.md", "# One\n\n```\n# a comment\n```\n")

    def test_dead_links(self):
        self.assert_found("docs/a.md", "# A\n\n[b](b.md)\n", 3, "dead-link", whole=True)
        self.assert_found("docs/a.md", "# A\n\n[b](#nowhere)\n", 3, "dead-link", whole=True)
        self.assertEqual(self.found({"docs/a.md": "# A b\n\n[a](#a-b) [web](https://a.com)\n"},
                                    whole=True), [])
        self.assertEqual(self.found({"docs/a.md": "# A\n\n[b](../src/main.cpp)\n",
                                     "src/main.cpp": "int x;\n"}, whole=True), [])

    def test_decision(self):
        good = "# A\n\n## Context\n\n## Decision\n\n## Consequences\n"
        self.assert_clean("docs/decisions/0001-a.md", good)
        self.assert_found("docs/decisions/one.md", good, 1, "decision")
        self.assert_found("docs/decisions/0001-a.md", good + "x\n" * 40, 1, "decision")
        self.assert_found("docs/decisions/0001-a.md", good.replace("Context", "Why"), 1, "decision")

    def test_architecture_is_short(self):
        self.assert_found("docs/ARCHITECTURE.md", "# A\n" + "word " * 1500 + "end\n", 1,
                          "architecture")

    def test_changelog(self):
        head = "# Changelog\n\n## [Unreleased]\n\n"
        self.assert_clean("CHANGELOG.md", head + "### Added\n\n- x\n")
        self.assert_found("CHANGELOG.md", head + "### News\n\n- x\n", 5, "changelog")
        self.assert_found("CHANGELOG.md", head + "- x\n", 5, "changelog")
        self.assert_found("CHANGELOG.md", head.rstrip() + "\n", 1, "changelog")
        self.assert_found("CHANGELOG.md", "# Changelog\n\n## 1.0\n\n### Added\n\n- x\n", 3,
                          "changelog")


class Exceptions(Planted):
    def test_covers_its_finding(self):
        exceptions = [("tab", "tools/*.py", "reason")]
        self.assertEqual(self.found({"tools/a.py": "\tx\n"}, exceptions=exceptions), [])

    def test_needless_one_is_a_finding(self):
        exceptions = [("tab", "tools/*.py", "reason")]
        found = self.found({"tools/a.py": "x\n"}, whole=True, exceptions=exceptions)
        self.assertIn(("tools/tidy_exceptions.py", 1, "needless-exception"), found)


if __name__ == "__main__":
    unittest.main()
