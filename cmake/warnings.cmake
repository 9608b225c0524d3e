# Warnings are for developers of asynchat and for its own targets; users never see them.
function(asynchat_warnings target)
    if(NOT ASYNCHAT_DEVELOPER_MODE)
        return()
    endif()
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor)
    # CMake itself acts on this variable only from 3.24 on.
    if(CMAKE_COMPILE_WARNING_AS_ERROR AND CMAKE_VERSION VERSION_LESS 3.24)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

# For a program or library of the tests and examples: links the library under test, with the
# warnings and without what Asio has deprecated.
function(asynchat_developer_target target)
    target_link_libraries(${target} PRIVATE ${ASYNCHAT_TEST_TARGET})
    target_compile_definitions(${target} PRIVATE ASIO_NO_DEPRECATED)
    asynchat_warnings(${target})
endfunction()
