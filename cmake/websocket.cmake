# asynchat::websocket and asynchat::websocket_header_only, where OpenSSL 3 is found: the upgrade of
# a connection needs its SHA-1. A program that does not link them neither includes nor links OpenSSL.

find_package(OpenSSL 3 QUIET COMPONENTS Crypto)
if(NOT OpenSSL_FOUND)
    message(STATUS "asynchat: OpenSSL 3 is not installed (Debian and Ubuntu: libssl-dev); "
        "building without asynchat::websocket")
    return()
endif()

asynchat_part(websocket OpenSSL::Crypto)
