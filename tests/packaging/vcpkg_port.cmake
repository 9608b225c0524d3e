# Runs the port of PORT_DIRECTORY with functions that stand in for those of vcpkg, and looks at what
# it leaves in OUTPUT. The compiler COMPILER compiles empty files instead of the sources: what is
# built is not looked at.
#
# usage: cmake -D PORT_DIRECTORY=... -D OUTPUT=... -D COMPILER=... -D GENERATOR=... [-D FEATURES=tls;websocket]
#        -P vcpkg_port.cmake
cmake_minimum_required(VERSION 3.21)

file(REMOVE_RECURSE "${OUTPUT}")
set(PORT asynchat)
set(CURRENT_PORT_DIR "${PORT_DIRECTORY}")
set(CURRENT_PACKAGES_DIR "${OUTPUT}/packages")

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(require condition_text)
    if(NOT (${ARGN}))
        message(FATAL_ERROR "not so: ${condition_text}")
    endif()
endfunction()

# vcpkg_check_features(OUT_FEATURE_OPTIONS <variable> FEATURES [<feature> <option>]...)
function(vcpkg_check_features)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
    require("only known arguments" NOT DEFINED arg_UNPARSED_ARGUMENTS)
    set(options "")
    while(arg_FEATURES)
        list(POP_FRONT arg_FEATURES feature option)
        if(feature IN_LIST FEATURES)
            list(APPEND options "-D${option}=ON")
        else()
            list(APPEND options "-D${option}=OFF")
        endif()
    endwhile()
    set(${arg_OUT_FEATURE_OPTIONS} "${options}" PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
    require("only known arguments" NOT DEFINED arg_UNPARSED_ARGUMENTS)
    foreach(type IN ITEMS Release Debug)
        set(prefix "${CURRENT_PACKAGES_DIR}")
        if(type STREQUAL "Debug")
            string(APPEND prefix "/debug")
        endif()
        run("${CMAKE_COMMAND}" -S "${arg_SOURCE_PATH}" -B "${OUTPUT}/${type}" -G "${GENERATOR}"
            "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_BUILD_TYPE=${type}"
            "-DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/compile_nothing.sh"
            "-DCMAKE_INSTALL_PREFIX=${prefix}" -DBUILD_SHARED_LIBS=OFF ${arg_OPTIONS})
    endforeach()
endfunction()

function(vcpkg_cmake_install)
    foreach(type IN ITEMS Release Debug)
        run("${CMAKE_COMMAND}" --build "${OUTPUT}/${type}" --target install)
    endforeach()
endfunction()

# Moves the CMake package to where vcpkg has it, with the targets of both builds.
function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
    require("only known arguments" NOT DEFINED arg_UNPARSED_ARGUMENTS)
    file(GLOB files "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/*.cmake"
        "${CURRENT_PACKAGES_DIR}/debug/${arg_CONFIG_PATH}/*[Tt]argets-debug.cmake")
    file(COPY ${files} DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
    file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib/cmake" "${CURRENT_PACKAGES_DIR}/debug/lib/cmake")
endfunction()

function(vcpkg_fixup_pkgconfig)
    file(GLOB files "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/*.pc")
    require("there are pkg-config files" files)
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
    require("only known arguments" NOT DEFINED arg_UNPARSED_ARGUMENTS)
    file(READ "${arg_FILE_LIST}" text)
    file(WRITE "${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright" "${text}")
endfunction()

include("${PORT_DIRECTORY}/portfile.cmake")

# What vcpkg itself examines after the build, and what users find.
set(expected
    debug/lib/libasynchat.a include/asynchat/asynchat.hpp lib/libasynchat.a
    lib/pkgconfig/asynchat.pc
    share/asynchat/asynchat.spdx share/asynchat/asynchatConfig.cmake
    share/asynchat/asynchatStaticTargets-debug.cmake
    share/asynchat/asynchatStaticTargets-release.cmake share/asynchat/asynchatStaticTargets.cmake
    share/asynchat/copyright share/asynchat/usage)
set(of_tls debug/lib/libasynchat_tls.a lib/libasynchat_tls.a lib/pkgconfig/asynchat-tls.pc
    share/asynchat/asynchatTlsStaticTargets.cmake)
set(of_websocket debug/lib/libasynchat_websocket.a lib/libasynchat_websocket.a
    lib/pkgconfig/asynchat-websocket.pc share/asynchat/asynchatWebsocketStaticTargets.cmake)
foreach(name IN LISTS expected)
    require("${name} is there" EXISTS "${CURRENT_PACKAGES_DIR}/${name}")
endforeach()
foreach(feature IN ITEMS tls websocket)
    foreach(name IN LISTS of_${feature})
        if(feature IN_LIST FEATURES)
            require("${name} is there" EXISTS "${CURRENT_PACKAGES_DIR}/${name}")
        else()
            require("${name} is not there" NOT EXISTS "${CURRENT_PACKAGES_DIR}/${name}")
        endif()
    endforeach()
endforeach()
# Each target, and the component that is no target, is in what vcpkg shows to users.
file(READ "${CURRENT_PACKAGES_DIR}/share/asynchat/usage" usage)
file(GLOB parts RELATIVE "${PORT_DIRECTORY}/../../../src" "${PORT_DIRECTORY}/../../../src/*.cpp")
list(TRANSFORM parts REPLACE "[.]cpp$" "")
foreach(part IN LISTS parts)
    set(headers "${part}_header_only")
    if(part STREQUAL "asynchat")
        set(headers header_only)
    endif()
    require("usage names ${part}" usage MATCHES "asynchat::${part}[) ]")
    require("usage names ${headers}" usage MATCHES "asynchat::${headers}")
endforeach()
require("usage names streams" usage MATCHES "COMPONENTS streams")

file(GLOB left "${CURRENT_PACKAGES_DIR}/debug/*" "${CURRENT_PACKAGES_DIR}/share/*")
if(NOT left STREQUAL "${CURRENT_PACKAGES_DIR}/debug/lib;${CURRENT_PACKAGES_DIR}/share/asynchat")
    message(FATAL_ERROR "in debug and share there is: ${left}")
endif()
