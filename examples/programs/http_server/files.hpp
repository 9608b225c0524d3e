// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FILES_HPP
#define HTTP_FILES_HPP

#include "request.hpp"
#include "response.hpp"

#include <asynchat/file_producer.hpp>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace http {

// The answer if the system does not open a file. 404 says that there is no such file, and caches
// and crawlers then forget it. So only the errors that mean this give 404.
inline response no_file(const std::error_code& error)
{
    switch (error.value()) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:     // not a regular file
    case EOPNOTSUPP: // the same, from file_producer
    case ENODEV:
    case ENXIO: return text_response(404, "there is no such file");
    case EACCES:
    case EPERM: return text_response(403, "the file must not be read");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EINTR: return text_response(503, "not now", "Retry-After: 1\r\n");
    }
    return text_response(500, "the file cannot be read");
}

inline std::string type_of(std::string_view path)
{
    constexpr std::array<std::pair<std::string_view, std::string_view>, 14> types = {{
        {".html", "text/html; charset=utf-8"},
        {".htm", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".xml", "application/xml"},
        {".pdf", "application/pdf"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".svg", "image/svg+xml"},
        {".ico", "image/x-icon"},
    }};
    const std::string suffix = std::filesystem::path(path).extension().string();
    for (const auto& [known, type] : types) {
        if (same_name(suffix, known))
            return std::string(type);
    }
    return "application/octet-stream";
}

// A folder of files. Serves no hidden file, and no file outside of the folder, also not by a link.
class files {
public:
    // An empty `root` serves no files.
    explicit files(const std::string& root)
    {
        if (root.empty())
            return;
        root_ = std::filesystem::canonical(root);
        if (!std::filesystem::is_directory(root_))
            throw std::runtime_error(fmt::format("--root: {} is no folder", root));
    }

    bool empty() const noexcept { return root_.empty(); }

    response answer(const request& asked) const
    {
        std::error_code error;
        const std::filesystem::path found = find(asked.path, error);
        if (error)
            return no_file(error);
        if (std::filesystem::is_directory(found, error)) {
            const auto [path, query] = split(asked.target, "?");
            return moved(301, fmt::format("{}/{}{}", path, query.empty() ? "" : "?", query));
        }
        try {
            return part(asked, found.string());
        } catch (const std::system_error& wrong) {
            return no_file(wrong.code());
        } catch (const std::out_of_range&) { // it has become shorter meanwhile
            return no_file(std::make_error_code(std::errc::resource_unavailable_try_again));
        }
    }

private:
    // The file of a path; the error no_such_file_or_directory if it must not be served.
    std::filesystem::path find(const std::string& path, std::error_code& error) const
    {
        const auto none = std::make_error_code(std::errc::no_such_file_or_directory);
        if (root_.empty() || path.find("/.") != path.npos || path.find("//") != path.npos) {
            error = none;
            return {};
        }
        const std::string name = path.back() == '/' ? path + "index.html" : path;
        auto found = std::filesystem::canonical(root_.string() + name, error);
        if (!error && std::mismatch(root_.begin(), root_.end(), found.begin(), found.end()).first !=
                          root_.end())
            error = none;
        return found;
    }

    // The whole file, or the requested part.
    static response part(const request& asked, const std::string& path)
    {
        response made;
        auto whole = std::make_unique<asynchat::file_producer>(path);
        const std::uint64_t size = whole->length().value();
        made.type = type_of(path);
        made.header = "Accept-Ranges: bytes\r\n";
        made.source = std::move(whole);
        made.source_length = size;
        const auto wanted = value_of(asked.header, "Range");
        if (!wanted || asked.method != "GET" || value_of(asked.header, "If-Range"))
            return made;
        const auto range = parse_range(*wanted, size);
        if (!range)
            return made;
        if (range->length == 0)
            return text_response(416, *wanted, fmt::format("Content-Range: bytes */{}\r\n", size));
        made.status = 206;
        made.header += fmt::format("Content-Range: bytes {}-{}/{}\r\n", range->first,
                                   range->first + range->length - 1, size);
        made.source.reset(); // one descriptor at a time
        made.source = std::make_unique<asynchat::file_producer>(path, range->first, range->length);
        made.source_length = range->length;
        return made;
    }

    std::filesystem::path root_;
};

} // namespace http

#endif
