// What errors say: a sentence per code, a text that fits one line, an exception that says that text and nothing else.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <system_error>

#include "shmring/detail/setup_report.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {
namespace {

using detail::SetupError;
using detail::SetupReport;

TEST(SegmentError, EachCodeHasASentenceOfItsOwn) {
    std::set<std::string> sentences;
    const int last = static_cast<int>(errc::not_owner);
    for (int code = 1; code <= last; ++code) {
        const std::string sentence = make_error_code(static_cast<errc>(code)).message();
        EXPECT_GT(sentence.size(), 20U) << code;
        EXPECT_TRUE(sentences.insert(sentence).second) << "said twice: " << sentence;
    }
    EXPECT_FALSE(sentences.contains(make_error_code(static_cast<errc>(last + 1)).message()));
    EXPECT_FALSE(sentences.contains(make_error_code(static_cast<errc>(-1)).message()));
}

TEST(SegmentError, CodesBelongToTheCategoryOfThisLibrary) {
    const std::error_code code = errc::wrong_type;
    EXPECT_STREQ(code.category().name(), "shmring");
    EXPECT_EQ(&code.category(), &error_category());
    EXPECT_EQ(code, errc::wrong_type);
    EXPECT_NE(code, errc::wrong_kind);
    EXPECT_NE(code, std::error_code(static_cast<int>(errc::wrong_type), std::generic_category()));
}

TEST(SegmentError, EachStatusHasItsName) {
    EXPECT_STREQ(to_string(Status::ok), "ok");
    EXPECT_STREQ(to_string(Status::peer_lost), "peer_lost");
    std::set<std::string> names;
    for (std::uint32_t status = 0; status <= static_cast<std::uint32_t>(Status::unavailable); ++status)
        EXPECT_TRUE(names.insert(to_string(static_cast<Status>(status))).second) << status;
    EXPECT_FALSE(names.contains(to_string(static_cast<Status>(14))));
}

TEST(SegmentError, TheTextNamesActionNameAndFacts) {
    SetupError error;
    SetupReport report(error, "open", "ticks");
    EXPECT_FALSE(
        report.refuse(errc::wrong_type, "message is %u bytes in the segment, %u in this program", 24U, 16U));
    EXPECT_STREQ(error.text,
                 "shmring: open \"ticks\": message is 24 bytes in the segment, 16 in this program");
    EXPECT_EQ(error.code, errc::wrong_type);

    EXPECT_FALSE(report.refuse_errno(EACCES, "cannot open it"));
    EXPECT_STREQ(error.text, "shmring: open \"ticks\": cannot open it: Permission denied");
    EXPECT_EQ(error.code, std::errc::permission_denied);

    report.clear();
    EXPECT_FALSE(error.code);
    EXPECT_STREQ(error.text, "");
}

TEST(SegmentError, AnythingWithoutANameIsNotQuoted) {
    SetupError error;
    SetupReport report(error, "create an anonymous segment");
    EXPECT_FALSE(report.refuse(errc::bad_option, "no"));
    EXPECT_STREQ(error.text, "shmring: create an anonymous segment: no");
    SetupReport empty(error, "open", "");
    EXPECT_FALSE(empty.refuse(errc::bad_name, "no"));
    EXPECT_STREQ(error.text, "shmring: open \"\": no");
}

TEST(SegmentError, ANameCannotForgeALineOfALog) {
    SetupError error;
    SetupReport report(error, "open", "a\nroot: all is well\x1b[2J\x7f");
    EXPECT_FALSE(report.refuse(errc::bad_name, "no"));
    EXPECT_STREQ(error.text, "shmring: open \"a?root: all is well?[2J?\": no");
}

TEST(SegmentError, ALongNameIsCutOffAndTheFactsStay) {
    SetupError error;
    const std::string name(5000, 'n');
    SetupReport report(error, "open", name);
    EXPECT_FALSE(report.refuse(errc::bad_name, "too long"));
    const std::string text = error.text;
    EXPECT_LT(text.size(), sizeof error.text);
    EXPECT_TRUE(text.ends_with("nnn\": too long")) << text;
}

TEST(SegmentError, ALongTextIsCutOffAtTheEnd) {
    SetupError error;
    SetupReport report(error, "open", "x");
    EXPECT_FALSE(report.refuse_errno(EIO, "%s", std::string(5000, 'f').c_str()));
    EXPECT_EQ(std::string(error.text).size(), sizeof error.text - 1);
}

TEST(SegmentError, TheExceptionSaysTheTextAndNothingElse) {
    SetupError error;
    (void)SetupReport(error, "open", "ticks").refuse(errc::wrong_kind, "it holds an SPSC ring");
    try {
        detail::throw_setup_error(error);
        FAIL() << "did not throw";
    } catch (const std::system_error& caught) {
        EXPECT_EQ(caught.code(), errc::wrong_kind);
        EXPECT_STREQ(caught.what(), "shmring: open \"ticks\": it holds an SPSC ring");
    }
}

}  // namespace
}  // namespace shmring::test
