# Compiles programs of SOURCE against the installed asynchat of PREFIX with nothing but pkg-config
# (and ASIO, the directory of Asio's headers): with the library, with TLS and WEBSOCKET also over
# those, and header-only. KIND is static or shared. Each of COMPILERS makes one more program of each
# standard: it need not be the compiler of the library.
cmake_minimum_required(VERSION 3.21)

if(NOT PKG_CONFIG)
    message("Skipped: there is no pkg-config")
    return()
endif()

file(GLOB_RECURSE pc "${PREFIX}/asynchat.pc")
get_filename_component(pc_dir "${pc}" DIRECTORY)
get_filename_component(lib_dir "${pc_dir}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${pc_dir}:$ENV{PKG_CONFIG_PATH}")
file(MAKE_DIRECTORY "${BUILD}")

# ask(<variable> <argument>...): what pkg-config says.
function(ask variable)
    execute_process(COMMAND "${PKG_CONFIG}" ${ARGN}
        OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    set(${variable} "${flags}" PARENT_SCOPE)
endfunction()

# build_and_run(<program> <compiler> <standard> SOURCES <source>... FLAGS <flag>...)
function(build_and_run program compiler standard)
    cmake_parse_arguments(arg "" "" "SOURCES;FLAGS" ${ARGN})
    message(STATUS "${program}: ${compiler} -std=c++${standard} ${arg_FLAGS}")
    list(TRANSFORM arg_SOURCES PREPEND "${SOURCE}/")
    execute_process(
        COMMAND "${compiler}" -std=c++${standard} ${arg_SOURCES} "-idirafter${ASIO}" ${arg_FLAGS}
            -o "${BUILD}/${program}"
        COMMAND_ERROR_IS_FATAL ANY)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${lib_dir}:$ENV{LD_LIBRARY_PATH}"
            "${BUILD}/${program}"
        COMMAND_ERROR_IS_FATAL ANY)
endfunction()

ask(flags --cflags --libs asynchat)
build_and_run(compiled "${COMPILER}" 17 SOURCES main.cpp line.cpp FLAGS ${flags})
foreach(compiler IN LISTS COMPILERS)
    get_filename_component(name "${compiler}" NAME)
    foreach(standard IN ITEMS 17 20 2b)
        build_and_run(border-${name}-${standard} "${compiler}" ${standard}
            SOURCES border.cpp FLAGS ${flags})
    endforeach()
endforeach()

if(TLS)
    ask(flags --cflags --libs asynchat-tls)
    build_and_run(over_tls "${COMPILER}" 17 SOURCES over_tls.cpp FLAGS ${flags})
endif()

if(WEBSOCKET)
    ask(flags --cflags --libs asynchat-websocket)
    build_and_run(over_websocket "${COMPILER}" 17 SOURCES over_websocket.cpp FLAGS ${flags})
endif()

if(KIND STREQUAL "static")
    ask(include --variable=includedir asynchat)
    ask(flags --cflags --libs fmt)
    build_and_run(header_only "${COMPILER}" 17 SOURCES border.cpp
        FLAGS -DASIO_STANDALONE -I${include} ${flags} -pthread)
endif()
