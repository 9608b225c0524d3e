# Compiles programs of SOURCE against the installed asynchat of PREFIX with nothing but pkg-config (and
# ASIO, the directory of Asio's headers); with TLS also one over TLS.

if(NOT PKG_CONFIG)
    message("Skipped: there is no pkg-config")
    return()
endif()

file(GLOB_RECURSE pc "${PREFIX}/asynchat.pc")
get_filename_component(pc_dir "${pc}" DIRECTORY)
get_filename_component(lib_dir "${pc_dir}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${pc_dir}:$ENV{PKG_CONFIG_PATH}")
file(MAKE_DIRECTORY "${BUILD}")

function(asynchat_build_and_run package)
    execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs ${package}
        OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    message(STATUS "${package}: ${flags}")
    separate_arguments(flags UNIX_COMMAND "${flags}")
    set(sources ${ARGN})
    list(TRANSFORM sources PREPEND "${SOURCE}/")
    execute_process(
        COMMAND "${COMPILER}" -std=c++17 ${sources} "-I${ASIO}" ${flags} -o "${BUILD}/${package}"
        COMMAND_ERROR_IS_FATAL ANY)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${lib_dir}:$ENV{LD_LIBRARY_PATH}"
            "${BUILD}/${package}"
        COMMAND_ERROR_IS_FATAL ANY)
endfunction()

asynchat_build_and_run(asynchat main.cpp line.cpp)
if(TLS)
    asynchat_build_and_run(asynchat-tls over_tls.cpp)
endif()
