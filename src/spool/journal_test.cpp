#include "spool/journal.hpp"

#include "base/log.hpp"
#include "spool/folder_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <memory>

namespace rollcall::spool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Texts = std::vector<std::string>;

const SystemTime noon{std::chrono::milliseconds(1'700'000'000'000)};

class JournalTest : public testing::Test {
protected:
    // As after a restart; the one before lets go of the directory.
    Result<void> reopen() {
        journal.reset();
        visited.clear();
        journal = std::make_unique<Journal>(
            SpoolConfig{.dir = folder.dir(), .segment_max = segment_max}, disk);
        return journal->open([this](std::string_view record) { visited.emplace_back(record); });
    }
    void open() {
        const auto opened = reopen();
        ASSERT_TRUE(opened) << opened.error().message;
    }
    [[nodiscard]] bool append(const Texts& records) {
        std::vector<NewRecord> all;
        for (const std::string& record : records) {
            all.push_back({.at = noon + std::chrono::seconds(added++), .payload = record});
        }
        const auto appended = journal->append(all);
        EXPECT_TRUE(appended || appended.error().code == ErrorCode::unavailable);
        return appended.has_value();
    }
    // The oldest, and done with.
    Texts take(std::size_t records_max = 100) {
        auto batch = journal->oldest(records_max);
        EXPECT_TRUE(batch);
        Texts out = batch->records;
        EXPECT_TRUE(journal->done(*batch, false));
        return out;
    }
    Texts take_all() {
        Texts all;
        for (Texts some = take(); !some.empty(); some = take()) {
            all.insert(all.end(), some.begin(), some.end());
        }
        return all;
    }

    TestFolder folder;
    TestDisk disk;
    std::size_t segment_max = 1UL << 20;
    Texts visited;
    int added = 0;
    std::unique_ptr<Journal> journal;
    log::Capture log;
};

TEST_F(JournalTest, WhatWasAppendedIsThereAfterARestartInOrder) {
    open();
    EXPECT_TRUE(append({"one", "two"}));
    EXPECT_TRUE(append({"three"}));
    EXPECT_EQ(journal->stats().records, 3U);
    EXPECT_EQ(journal->stats().oldest, noon);
    open();
    EXPECT_THAT(visited, ElementsAre("one", "two", "three"));
    EXPECT_EQ(journal->stats().records, 3U);
    EXPECT_TRUE(append({"four"}));
    EXPECT_THAT(take(2), ElementsAre("one", "two"));
    EXPECT_EQ(journal->stats().oldest, noon + std::chrono::seconds(2));
    EXPECT_THAT(take_all(), ElementsAre("three", "four"));
    EXPECT_THAT(folder.files(), IsEmpty());
    EXPECT_EQ(journal->stats(), SpoolStats{});
    open();
    EXPECT_THAT(visited, IsEmpty());
}

TEST_F(JournalTest, WhatIsNotDoneIsReadAgain) {
    open();
    EXPECT_TRUE(append({"one", "two"}));
    EXPECT_EQ(journal->oldest(10)->records, journal->oldest(10)->records);
    open();
    EXPECT_THAT(take_all(), ElementsAre("one", "two"));
}

TEST_F(JournalTest, WhatComesWhileTheOldestIsReadGoesBehindIt) {
    open();
    EXPECT_TRUE(append({"one"}));
    const auto batch = journal->oldest(10);
    EXPECT_TRUE(append({"two"}));
    EXPECT_EQ(folder.files().size(), 2U);
    EXPECT_TRUE(journal->done(*batch, false));
    EXPECT_THAT(take_all(), ElementsAre("two"));
}

TEST_F(JournalTest, SegmentsAreBoundedAndGoOneByOne) {
    segment_max = 1000;
    open();
    Texts all;
    for (int i = 0; i < 20; ++i) all.push_back(std::to_string(i) + std::string(300, 'x'));
    for (const auto& one : all) EXPECT_TRUE(append({one}));
    const std::size_t files = folder.files().size();
    EXPECT_GT(files, 3U);
    EXPECT_EQ(take(3).size(), 3U);
    EXPECT_LT(folder.files().size(), files);
    open();
    EXPECT_THAT(take_all(), testing::ElementsAreArray(all.begin() + 3, all.end()));
}

TEST_F(JournalTest, NobodyElseMayLook) {
    open();
    EXPECT_TRUE(append({"one"}));
    struct stat found{};
    ASSERT_EQ(::stat(folder.dir().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0700U);
    for (const auto& file : folder.files()) {
        ASSERT_EQ(::stat(file.c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0777U, 0600U);
    }
    journal.reset();
    ASSERT_EQ(::chmod(folder.dir().c_str(), 0755), 0);
    const auto opened = reopen();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::bad_configuration);
    EXPECT_THAT(opened.error().message, HasSubstr("chmod 0700"));
}

TEST_F(JournalTest, OneProcessHasIt) {
    open();
    Journal other(SpoolConfig{.dir = folder.dir()}, disk);
    const auto opened = other.open([](std::string_view) {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::conflict);
    journal.reset();
    EXPECT_TRUE(other.open([](std::string_view) {}));
}

TEST_F(JournalTest, ADirectoryThatCannotBeIsAWrongSetting) {
    TestFolder::write(folder.dir(), "a file");
    const auto opened = reopen();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::bad_configuration);
}

TEST_F(JournalTest, ATornTailIsCutOffAndTheRestKept) {
    open();
    EXPECT_TRUE(append({"one", "two"}));
    const auto file = folder.files().at(0);
    const std::string whole = TestFolder::bytes_of(file);
    std::string torn;
    append_record(torn, {.number = 2, .at = noon, .payload = "half of it was written"});
    for (const std::size_t length : {std::size_t{1}, torn.size() / 2, torn.size() - 1}) {
        journal.reset();
        TestFolder::write(file, whole + torn.substr(0, length));
        open();
        EXPECT_THAT(visited, ElementsAre("one", "two"));
        EXPECT_EQ(TestFolder::bytes_of(file), whole);
        EXPECT_EQ(journal->stats().damaged, 0U);
    }
    EXPECT_THAT(log.text(), HasSubstr("spool_torn_tail"));
    EXPECT_TRUE(append({"three"}));
    open();
    EXPECT_THAT(take_all(), ElementsAre("one", "two", "three"));
}

TEST_F(JournalTest, AFileThatWasOnlyBegunIsRemoved) {
    open();
    EXPECT_TRUE(append({"one"}));
    const auto file = folder.files().at(0);
    const std::string whole = TestFolder::bytes_of(file);
    for (const std::size_t length : {0UL, 7UL, 16UL, 30UL}) {
        journal.reset();
        TestFolder::write(file, whole.substr(0, length));
        open();
        EXPECT_THAT(folder.files(), IsEmpty()) << length;
        EXPECT_EQ(journal->stats().damaged, 0U);
    }
}

TEST_F(JournalTest, DamageCostsOneRecordAndIsKeptForAPerson) {
    open();
    EXPECT_TRUE(append({"one", "two", "three"}));
    const auto file = folder.files().at(0);
    journal.reset();
    std::string bytes = TestFolder::bytes_of(file);
    bytes.at(bytes.find("two")) = 'T';
    TestFolder::write(file, bytes);
    open();
    EXPECT_EQ(journal->stats().damaged, 1U);
    EXPECT_THAT(take_all(), ElementsAre("one", "three"));
    ASSERT_EQ(folder.files().size(), 1U);
    EXPECT_THAT(folder.files()[0].string(), testing::EndsWith(".log.damaged"));
    EXPECT_EQ(TestFolder::bytes_of(folder.files()[0]), bytes);
    EXPECT_EQ(journal->stats().bytes, bytes.size());
    EXPECT_THAT(log.text(), HasSubstr("spool_record_damaged"));
    EXPECT_THAT(log.text(), testing::Not(HasSubstr("three")));
    open();
    EXPECT_EQ(journal->stats().damaged, 1U);
    EXPECT_TRUE(append({"four"}));
    std::filesystem::remove(folder.dir() / folder.files()[0].filename());
    journal->survey();
    EXPECT_EQ(journal->stats().damaged, 0U);
}

TEST_F(JournalTest, OnlyTheNewestFileMayEndInTheMiddle) {
    segment_max = 100;
    open();
    EXPECT_TRUE(append({std::string(80, 'a')}));
    EXPECT_TRUE(append({std::string(80, 'b')}));
    const auto first = folder.files().at(0);
    journal.reset();
    std::filesystem::resize_file(first, std::filesystem::file_size(first) - 1);
    open();
    EXPECT_THAT(visited, ElementsAre(std::string(80, 'b')));
    EXPECT_EQ(journal->stats().damaged, 1U);
    EXPECT_EQ(folder.files().size(), 2U);
}

TEST_F(JournalTest, WhatCannotBeReadByItsOwnerIsKept) {
    open();
    EXPECT_TRUE(append({"from a later build"}));
    EXPECT_TRUE(journal->done(*journal->oldest(1), true));
    EXPECT_EQ(journal->stats().records, 0U);
    EXPECT_EQ(journal->stats().damaged, 1U);
    EXPECT_EQ(folder.files().size(), 1U);
}

TEST_F(JournalTest, AFullDiskKeepsNothingByHalvesAndGoesOnLater) {
    open();
    EXPECT_TRUE(append({"one"}));
    disk.room = 40;
    EXPECT_FALSE(append({std::string(100, 'x')}));
    EXPECT_FALSE(append({"not even the head of a new file", std::string(100, 'x')}));
    disk.room = 1L << 40;
    EXPECT_TRUE(append({"two"}));
    EXPECT_EQ(journal->stats().records, 2U);
    open();
    EXPECT_EQ(journal->stats().damaged, 0U);
    EXPECT_THAT(take_all(), ElementsAre("one", "two"));
}

TEST_F(JournalTest, ASyncThatFailsIsNotRepeatedOnTheSameFile) {
    open();
    EXPECT_TRUE(append({"one"}));
    disk.sync_fails = true;
    EXPECT_FALSE(append({"lost"}));
    disk.sync_fails = false;
    EXPECT_TRUE(append({"two"}));
    EXPECT_EQ(folder.files().size(), 2U);
    EXPECT_THAT(take_all(), ElementsAre("one", "two"));
}

TEST_F(JournalTest, TheNameOfADirectoryThatItMakesIsDurableBeforeWhatIsInIt) {
    const auto parent = std::filesystem::canonical(folder.dir().parent_path());
    disk.folder_sync_fails = true;
    Journal none({.dir = folder.dir()}, disk);
    const auto refused = none.open([](std::string_view) {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("cannot sync"));
    EXPECT_FALSE(std::filesystem::exists(folder.dir())) << "the next one makes it anew";
    disk.folder_sync_fails = false;
    disk.folders_synced.clear();
    open();
    EXPECT_THAT(disk.folders_synced, ElementsAre(parent));
    std::filesystem::remove_all(folder.dir());
    disk.folders_synced.clear();
    EXPECT_TRUE(append({"kept"}));
    EXPECT_THAT(disk.folders_synced, ElementsAre(parent, parent / "spool"));
}

TEST_F(JournalTest, NothingIsAcknowledgedIntoADirectoryThatWasRemoved) {
    open();
    EXPECT_TRUE(append({"gone"}));
    std::filesystem::remove_all(folder.dir());
    EXPECT_TRUE(append({"kept"}));
    EXPECT_EQ(journal->stats().lost, 1U);
    EXPECT_EQ(journal->stats().records, 1U);
    EXPECT_THAT(log.text(), HasSubstr("spool_file_gone"));
    open();
    EXPECT_THAT(take_all(), ElementsAre("kept"));
}

TEST_F(JournalTest, WithoutAPlaceForItNothingIsTaken) {
    open();
    std::filesystem::remove_all(folder.dir());
    TestFolder::write(folder.dir(), "a file");
    EXPECT_FALSE(append({"one"}));
    std::filesystem::remove(folder.dir());
    EXPECT_TRUE(append({"two"}));
    EXPECT_THAT(take_all(), ElementsAre("two"));
}

}  // namespace
}  // namespace rollcall::spool
