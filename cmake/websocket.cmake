# asynchat::websocket and asynchat::websocket_header_only, where OpenSSL 3 is found: the upgrade of
# a connection needs its SHA-1. A program that does not link them neither includes nor links OpenSSL.

find_package(OpenSSL 3 QUIET COMPONENTS Crypto)
if(NOT OpenSSL_FOUND)
    message(STATUS "asynchat: OpenSSL 3 is not installed (Debian and Ubuntu: libssl-dev); "
        "building without asynchat::websocket")
    return()
endif()

add_library(asynchat_websocket src/websocket.cpp)
add_library(asynchat::websocket ALIAS asynchat_websocket)
set_target_properties(asynchat_websocket PROPERTIES
    EXPORT_NAME websocket
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
target_link_libraries(asynchat_websocket PUBLIC asynchat PRIVATE OpenSSL::Crypto)
target_link_options(asynchat_websocket PRIVATE ${asynchat_export_options})
asynchat_warnings(asynchat_websocket)
if(ASYNCHAT_DEVELOPER_MODE)
    target_compile_definitions(asynchat_websocket PRIVATE ASIO_NO_DEPRECATED)
endif()

add_library(asynchat_websocket_header_only INTERFACE)
add_library(asynchat::websocket_header_only ALIAS asynchat_websocket_header_only)
set_target_properties(asynchat_websocket_header_only PROPERTIES EXPORT_NAME websocket_header_only)
target_link_libraries(asynchat_websocket_header_only INTERFACE asynchat_header_only OpenSSL::Crypto)
