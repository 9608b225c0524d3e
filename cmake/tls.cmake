# asynchat::tls and asynchat::tls_header_only, where OpenSSL 3 is found. A program that does not link
# them neither includes nor links OpenSSL.

find_package(OpenSSL 3 QUIET COMPONENTS SSL Crypto)
if(NOT OpenSSL_FOUND)
    message(STATUS "asynchat: OpenSSL 3 is not installed (Debian and Ubuntu: libssl-dev); "
        "building without asynchat::tls")
    return()
endif()

add_library(asynchat_tls src/tls.cpp)
add_library(asynchat::tls ALIAS asynchat_tls)
set_target_properties(asynchat_tls PROPERTIES
    EXPORT_NAME tls
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
target_link_libraries(asynchat_tls PUBLIC asynchat PRIVATE OpenSSL::SSL)
target_link_options(asynchat_tls PRIVATE ${asynchat_export_options})
asynchat_warnings(asynchat_tls)
if(ASYNCHAT_DEVELOPER_MODE)
    target_compile_definitions(asynchat_tls PRIVATE ASIO_NO_DEPRECATED)
endif()

add_library(asynchat_tls_header_only INTERFACE)
add_library(asynchat::tls_header_only ALIAS asynchat_tls_header_only)
set_target_properties(asynchat_tls_header_only PROPERTIES EXPORT_NAME tls_header_only)
target_link_libraries(asynchat_tls_header_only INTERFACE asynchat_header_only OpenSSL::SSL)
