// JavaScript and TypeScript as a sequence of words and marks: enough to find declarations, not to
// run or check anything. Pure; any bytes are read to their end, in linear time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rollcall::gate {

struct ScriptToken {
    enum class Kind : std::uint8_t {
        word,     // identifier, keyword or number
        mark,     // one punctuation character
        literal,  // string, template or regular expression; `text` with its quotes
        end,
    };
    Kind kind = Kind::end;
    std::string_view text{};
    bool line_before = false;  // a line ended before it

    [[nodiscard]] bool is(std::string_view word) const {
        return kind != Kind::literal && text == word;
    }
};

class ScriptReader {
public:
    explicit ScriptReader(std::string_view source);  // which must outlive the tokens

    ScriptToken next();

private:
    void skip_blank(bool& line);
    void skip_string(char quote);
    void skip_template();
    void skip_substitution();
    void skip_expression();
    void note_bracket(char c);
    [[nodiscard]] bool expression_may_begin() const;

    std::string_view source_;
    std::size_t at_ = 0;
    ScriptToken last_;
    unsigned depth_ = 0;  // of templates in templates
    // Of each bracket that is open, and of the last that was closed: `if (…)` and its like, after
    // which a statement begins.
    std::vector<bool> conditions_;
    bool condition_ended_ = false;
};

}  // namespace rollcall::gate
