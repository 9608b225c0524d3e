// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_PAGE_HPP
#define HTTP_FETCH_PAGE_HPP

#include "../tls_arguments.hpp"
#include "url.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace http {

struct fetch_settings {
    explicit fetch_settings(arguments::client_tls chosen) : tls(std::move(chosen)) {}

    arguments::client_tls tls; // for https
    bool is_recursive = false;
    std::size_t per_host = 4; // connections
    std::chrono::milliseconds timeout = std::chrono::seconds(10);
    std::string folder; // for the files of the pages; empty: no files
};

// A page that is being received. Its memory is bounded.
class page {
public:
    page(url from, int redirections, const fetch_settings& chosen)
        : where(std::move(from)), redirects(redirections), settings_(&chosen)
    {
    }

    page(page&&) = default;
    page& operator=(page&&) = default;

    // Removes the file of an incomplete page.
    ~page()
    {
        std::error_code ignored;
        if (std::exchange(file_, {}).is_open())
            std::filesystem::remove(part_name(), ignored);
    }

    url where;
    int redirects; // that led here
    std::chrono::steady_clock::time_point asked;

    // The answer of the server.
    int status = 0;
    std::uint64_t bytes = 0;
    std::string location; // of a redirect
    std::string html;     // with links to follow; empty if it is not needed

    // The header is complete. Throws if the file of the page cannot be made.
    void begin(int answer, const fields& header)
    {
        status = answer;
        if (status >= 301 && status <= 308)
            location = value_of(header, "Location").value_or("");
        const std::string_view type = value_of(header, "Content-Type").value_or("");
        keeps_html_ = settings_->is_recursive && status == 200 &&
                      same_name(trimmed(split(type, ";").first), "text/html");
        if (status != 200 || settings_->folder.empty())
            return;
        name_ = file_name();
        std::filesystem::create_directories(name_.parent_path());
        file_ = std::ofstream(part_name(), std::ios::binary);
        check_file();
    }

    void add(std::string_view data)
    {
        bytes += data.size();
        if (keeps_html_ && html.size() + data.size() <= most_html)
            html += data;
        if (file_.is_open())
            file_.write(data.data(), static_cast<std::streamsize>(data.size()));
        check_file();
    }

    // The page is complete: its file gets its final name.
    void end()
    {
        if (!file_.is_open())
            return;
        file_.close();
        check_file();
        std::filesystem::rename(part_name(), name_);
    }

private:
    static constexpr std::size_t most_html = 4 * 1024 * 1024; // bytes

    std::filesystem::path part_name() const { return name_.string() + ".part"; }

    void check_file() const
    {
        if (!file_)
            throw std::runtime_error("cannot write " + part_name().string());
    }

    // FOLDER/host:port/path, without port 80, as other crawlers do. The path has no ".." segments;
    // if decoding would create one, the path is not decoded.
    std::filesystem::path file_name() const
    {
        const std::string decoded_target = decoded(where.target).value_or(where.target);
        const bool is_safe = without_dots(decoded_target) == decoded_target;
        std::string path = is_safe ? decoded_target : where.target;
        const auto [name, query] = split(path, "?");
        if (name.back() == '/')
            path.insert(name.size(), "index.html");
        const std::string port = where.is_secure && where.port == 443 ? ":443" : "";
        return std::filesystem::path(settings_->folder + "/" + where.site() + port + path);
    }

    const fetch_settings* settings_;
    bool keeps_html_ = false;
    std::filesystem::path name_;
    std::ofstream file_;
};

} // namespace http

#endif
