// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/address_range.hpp>
#include <asynchat/endpoint.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using asynchat::address_range;
using asynchat::endpoint;

namespace {

std::string fault(std::string_view text)
{
    try {
        return "none: " + address_range(text).to_string();
    } catch (const std::invalid_argument& error) {
        const std::string what = error.what();
        return what.substr(what.find(": ", what.find("range of addresses")) + 2);
    }
}

} // namespace

TEST_CASE("a range of addresses is read and written", "[address_range]")
{
    CHECK(address_range("10.0.0.0/8").to_string() == "10.0.0.0/8");
    CHECK(address_range("192.0.2.1").to_string() == "192.0.2.1/32");
    CHECK(address_range("0.0.0.0/0").to_string() == "0.0.0.0/0");
    CHECK(address_range("::1").to_string() == "::1/128");
    CHECK(address_range("2001:DB8::/32").to_string() == "2001:db8::/32");
    CHECK(address_range("::/0").to_string() == "::/0");
    CHECK(address_range("::ffff:10.0.0.0/104").to_string() == "10.0.0.0/8");
    CHECK(address_range("unix:").to_string() == "unix:");
}

TEST_CASE("what is no range of addresses is refused", "[address_range]")
{
    const std::string no_address = "it begins with no numeric address, and is not \"unix:\"";
    for (const char* const text :
         {"", "localhost", "10.0.0", "010.0.0.0/8", "10.0.0.0 /8", "::1%lo", "fe80::1%eth0/64",
          "/8", "unix", "unix:/run/a", "[::1]"})
        CHECK(fault(text) == no_address);
    CHECK(fault(std::string_view("::1\0/128", 8)) == no_address);
    for (const char* const text :
         {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/+8",
          "10.0.0.0/255.0.0.0", "10.0.0.0/8 "})
        CHECK(fault(text) == "the length of the prefix is a number from 0 to 32");
    CHECK(fault("::/129") == "the length of the prefix is a number from 0 to 128");
    CHECK(fault("10.0.0.1/8") == "bits behind the prefix are set; the range is 10.0.0.0/8");
    CHECK(fault("10.0.0.128/24") == "bits behind the prefix are set; the range is 10.0.0.0/24");
    CHECK(fault("2001:db8::1/32") == "bits behind the prefix are set; the range is 2001:db8::/32");
    CHECK_THROWS_WITH(address_range("a\nb"),
                      "asynchat: 'a\\nb' is not a range of addresses: " + no_address);
}

TEST_CASE("a range contains its addresses", "[address_range]")
{
    struct row {
        const char* range;
        std::vector<const char*> inside;
        std::vector<const char*> outside;
    };
    for (const row& each : {
             row{"10.0.0.0/8",
                 {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"},
                 {"9.255.255.255", "11.0.0.0", "::a00:0", "a00::"}},
             row{"192.0.2.128/25", {"192.0.2.128", "192.0.2.255"}, {"192.0.2.127", "192.0.3.128"}},
             row{"192.0.2.4/31", {"192.0.2.4", "192.0.2.5"}, {"192.0.2.3", "192.0.2.6"}},
             row{"127.0.0.1", {"127.0.0.1", "::ffff:127.0.0.1"}, {"127.0.0.2", "::1"}},
             row{"0.0.0.0/0", {"0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"}, {"::", "::1"}},
             row{"::/0", {"::", "ffff::"}, {"1.2.3.4", "::ffff:1.2.3.4"}},
             row{"2001:db8::/33", {"2001:db8:7fff::1"}, {"2001:db8:8000::", "2001:db9::"}},
             row{"::1", {"::1"}, {"::2", "0.0.0.1"}},
             row{"::ffff:10.0.0.0/104", {"10.1.2.3", "::ffff:10.1.2.3"}, {"11.0.0.0"}},
         }) {
        const address_range range(each.range);
        for (const char* const address : each.inside) {
            CAPTURE(each.range, address);
            CHECK(range.contains(endpoint(address, 1)));
        }
        for (const char* const address : each.outside) {
            CAPTURE(each.range, address);
            CHECK(!range.contains(endpoint(address, 1)));
        }
        CHECK(!range.contains(endpoint()));
        CHECK(!range.contains(endpoint::unix_path("/run/a")));
        CHECK(!range.contains(endpoint::named("10.0.0.1", "1")));
    }
    CHECK(address_range("unix:").contains(endpoint::unix_path("/run/a")));
    CHECK(!address_range("unix:").contains(endpoint("127.0.0.1", 1)));
    CHECK(!address_range("unix:").contains(endpoint()));
}
