# For what uses <asynchat/streams.hpp>. Sets asynchat_has_streams: whether this compiler has
# coroutines that Asio knows. Include it behind asynchat_need_asio().

# Asio 1.22 does not know that clang has the standard's coroutines.
set(asynchat_streams_definitions "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 16)
    set(asynchat_streams_definitions ASIO_HAS_CO_AWAIT=1)
endif()

if("cxx_std_20" IN_LIST CMAKE_CXX_COMPILE_FEATURES)
    get_target_property(asynchat_asio_headers ${asynchat_asio_target} INTERFACE_INCLUDE_DIRECTORIES)
    set(asynchat_coroutine_flags "${asynchat_streams_definitions}")
    list(TRANSFORM asynchat_coroutine_flags PREPEND -D)
    try_compile(asynchat_has_streams "${CMAKE_CURRENT_BINARY_DIR}/coroutines"
        "${CMAKE_CURRENT_LIST_DIR}/coroutines.cpp"
        CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${asynchat_asio_headers}"
        COMPILE_DEFINITIONS -DASIO_STANDALONE ${asynchat_coroutine_flags}
        LINK_LIBRARIES Threads::Threads
        CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
    if(NOT asynchat_has_streams)
        message(STATUS "asynchat: this compiler has no coroutines for Asio: no tests and examples "
            "of streams")
    endif()
endif()

# C++20, or the later standard of the build.
function(asynchat_needs_cxx20 target)
    if(NOT CMAKE_CXX_STANDARD OR CMAKE_CXX_STANDARD LESS 20)
        set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
    endif()
    target_compile_definitions(${target} PRIVATE ${asynchat_streams_definitions})
endfunction()
