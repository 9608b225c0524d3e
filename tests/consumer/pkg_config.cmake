# Compiles the programs of SOURCE against the installed asynchat of PREFIX with nothing but
# pkg-config (and ASIO, the directory of Asio's headers).

if(NOT PKG_CONFIG)
    message("Skipped: there is no pkg-config")
    return()
endif()

file(GLOB_RECURSE pc "${PREFIX}/asynchat.pc")
get_filename_component(pc_dir "${pc}" DIRECTORY)
get_filename_component(lib_dir "${pc_dir}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${pc_dir}:$ENV{PKG_CONFIG_PATH}")

execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs asynchat
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "${flags}")
separate_arguments(flags UNIX_COMMAND "${flags}")

file(MAKE_DIRECTORY "${BUILD}")
execute_process(
    COMMAND "${COMPILER}" -std=c++17 "${SOURCE}/main.cpp" "${SOURCE}/line.cpp" "-I${ASIO}" ${flags}
        -o "${BUILD}/program"
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${lib_dir}:$ENV{LD_LIBRARY_PATH}"
        "${BUILD}/program"
    COMMAND_ERROR_IS_FATAL ANY)
