// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_MAIL_TEXT_HPP
#define SMTP_SINK_MAIL_TEXT_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace smtp {

// The text of a message, as it comes behind DATA: lines, in any pieces, up to one that is only a
// dot. A dot in front of any other line is left out. Lines end with "\n" in a maildir.
class mail_text {
public:
    mail_text(std::size_t most, std::string header) : most_(most), text_(std::move(header)) {}

    // A piece of a line; never empty.
    void add(std::string_view piece)
    {
        if (!std::exchange(in_line_, true) && piece.front() == '.') {
            is_dotted_ = true;
            piece.remove_prefix(1);
        }
        line_has_text_ = line_has_text_ || !piece.empty();
        keep(piece, piece.size());
    }

    // The end of a line. Returns true if it was the last one, which is no part of the text.
    bool end_line()
    {
        const bool is_last = is_dotted_ && !line_has_text_;
        in_line_ = is_dotted_ = line_has_text_ = false;
        if (!is_last)
            keep("\n", 2);
        return is_last;
    }

    // What was kept since the last call.
    std::string take() { return std::exchange(text_, {}); }
    std::size_t waiting() const noexcept { return text_.size(); }

    // Keeps nothing from now on.
    void drop()
    {
        is_dropped_ = true;
        text_ = {};
    }

    // In the bytes of SMTP: the end of a line has two. Nothing is kept of a text that is too large.
    std::size_t size() const noexcept { return size_; }
    bool is_too_large() const noexcept { return size_ > most_; }

private:
    void keep(std::string_view text, std::size_t size)
    {
        size_ += size;
        if (!is_dropped_ && !is_too_large())
            text_ += text;
    }

    std::size_t most_;
    std::size_t size_ = 0;
    std::string text_;
    bool is_dropped_ = false;
    bool in_line_ = false;
    bool is_dotted_ = false;
    bool line_has_text_ = false;
};

} // namespace smtp

#endif
