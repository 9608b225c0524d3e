// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_TABLE_HPP
#define ASYNCHAT_TESTS_SUPPORT_TABLE_HPP

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Tables of what happens: each cell is a situation, one value out of each dimension, and what is
// written for it is a line of text. A test walks all cells, so that none can be forgotten.
//
//     apple                              a heading: the first value of the lines below it
//         raw | cold           : crunches
//         raw, baked | warm    : is soft   two cells
//         baked | cold         : cannot be: nobody waits so long
//     milk
//         * | *                : flows     all of its cells
namespace support {

using names = std::vector<std::string>;

class table {
public:
    /// A cell, by the indices of its values.
    using cell = std::vector<std::size_t>;

    table(std::vector<names> dimensions, std::string_view text) : dimensions_(std::move(dimensions))
    {
        std::string heading;
        for (const std::string& line : split(text, "\n")) {
            const auto end = line.find(" : ");
            if (end != line.npos)
                read(heading + line.substr(0, end), strip(line.substr(end + 3)));
            else if (!line.empty())
                heading = line + " | ";
        }
        for (const cell& each : all())
            if (written_.count(each) == 0)
                faults_.push_back("nothing is written for: " + name(each));
    }

    /// What is wrong with the table itself: cells that are missing or written twice, names that are
    /// not of it.
    const names& faults() const noexcept { return faults_; }

    /// Compares what play(cell) returns with what is written, for all cells but those that "cannot
    /// be".
    template <class Play>
    void walk(Play play) const
    {
        walk(play, [](const cell&) { return true; });
    }

    /// As above, for the cells for which wanted(cell) is true.
    template <class Play, class Wanted>
    void walk(Play play, Wanted wanted) const
    {
        CHECK(faults_ == names());
        for (const cell& each : all()) {
            const auto found = written_.find(each);
            if (found == written_.end() || found->second.compare(0, 9, "cannot be") == 0 ||
                !wanted(each))
                continue;
            std::string happened;
            try {
                happened = play(each);
            } catch (const std::exception& error) {
                happened = std::string("the test threw: ") + error.what();
            }
            CHECK(name(each) + " : " + happened == name(each) + " : " + found->second);
        }
    }

    std::string name(const cell& which) const
    {
        std::string all;
        for (std::size_t i = 0; i < which.size(); ++i)
            all += (i > 0 ? " | " : "") + dimensions_[i][which[i]];
        return all;
    }

private:
    static std::string strip(std::string_view text)
    {
        const auto first = text.find_first_not_of(' ');
        if (first == text.npos)
            return {};
        return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
    }

    static names split(std::string_view text, std::string_view separator)
    {
        names parts;
        for (;;) {
            const auto end = text.find(separator);
            parts.push_back(strip(text.substr(0, end)));
            if (end == text.npos)
                return parts;
            text.remove_prefix(end + separator.size());
        }
    }

    void read(const std::string& where, const std::string& expected)
    {
        const names fields = split(where, "|");
        if (fields.size() != dimensions_.size()) {
            faults_.push_back("not a cell: " + where);
            return;
        }
        std::vector<cell> cells = {{}};
        for (std::size_t i = 0; i < fields.size(); ++i) {
            std::vector<cell> longer;
            for (const cell& begun : cells)
                for (const std::size_t value : values(i, fields[i])) {
                    longer.push_back(begun);
                    longer.back().push_back(value);
                }
            cells = std::move(longer);
        }
        for (const cell& each : cells)
            if (!written_.emplace(each, expected).second)
                faults_.push_back("written twice: " + name(each));
    }

    std::vector<std::size_t> values(std::size_t dimension, const std::string& field)
    {
        const names& known = dimensions_[dimension];
        std::vector<std::size_t> found;
        for (const std::string& each : field == "*" ? known : split(field, ",")) {
            const auto at = std::find(known.begin(), known.end(), each);
            if (at == known.end())
                faults_.push_back("not a name of the table: " + each);
            else
                found.push_back(static_cast<std::size_t>(at - known.begin()));
        }
        return found;
    }

    std::vector<cell> all() const
    {
        std::vector<cell> cells = {{}};
        for (const names& dimension : dimensions_) {
            std::vector<cell> longer;
            for (const cell& begun : cells)
                for (std::size_t value = 0; value < dimension.size(); ++value) {
                    longer.push_back(begun);
                    longer.back().push_back(value);
                }
            cells = std::move(longer);
        }
        return cells;
    }

    std::vector<names> dimensions_;
    std::map<cell, std::string> written_;
    names faults_;
};

/// The lines in one, as cells have them.
inline std::string joined(const names& lines)
{
    std::string all;
    for (const std::string& line : lines)
        all += (all.empty() ? "" : ", ") + line;
    return all;
}

} // namespace support

#endif
