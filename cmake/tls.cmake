# asynchat::tls and asynchat::tls_header_only, where OpenSSL 3 is found. A program that does not link
# them neither includes nor links OpenSSL.

find_package(OpenSSL 3 QUIET COMPONENTS SSL Crypto)
if(NOT OpenSSL_FOUND)
    message(STATUS "asynchat: OpenSSL 3 is not installed (Debian and Ubuntu: libssl-dev); "
        "building without asynchat::tls")
    return()
endif()

asynchat_part(tls OpenSSL::SSL)
