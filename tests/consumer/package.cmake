# What find_package(asynchat) finds, and says, in many projects; and what an installed asynchat says
# of Asio and fmt. The compiler COMPILER compiles empty files by COMPILE_NOTHING instead of the
# sources, as nothing is linked to the library. ASIO and FMT are the directories of their headers.
#
# usage: cmake -D OUTPUT=... -D COMPILER=... -D COMPILE_NOTHING=... -D GENERATOR=... -D LIBRARY=...
#        -D ASIO=... -D FMT=... -D FMT_PREFIX=... -D REPOSITORIES=... -D TLS=... -D WEBSOCKET=...
#        -P package.cmake
cmake_minimum_required(VERSION 3.21)
get_filename_component(tree "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
file(REMOVE_RECURSE "${OUTPUT}")

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output
        RESULT_VARIABLE result)
    if(result)
        message(FATAL_ERROR "${ARGN}: ${output}")
    endif()
endfunction()

# configure(<source> <build> <option>...)
function(configure source build)
    run("${CMAKE_COMMAND}" -S "${source}" -B "${OUTPUT}/${build}" -G "${GENERATOR}"
        --no-warn-unused-cli "-DCMAKE_CXX_COMPILER=${COMPILER}" ${ARGN})
endfunction()

# install(<prefix> <build> <option>...): of the library that is compiled of nothing.
function(install prefix build)
    configure("${tree}" ${build} "-DCMAKE_CXX_COMPILER_LAUNCHER=${COMPILE_NOTHING}" ${LIBRARY}
        ${ARGN})
    run("${CMAKE_COMMAND}" --build "${OUTPUT}/${build}")
    run("${CMAKE_COMMAND}" --install "${OUTPUT}/${build}" --prefix "${OUTPUT}/${prefix}")
endfunction()

# release(<variable> <expression> <directories> <header>...): its three groups, in a line of a header.
function(release variable expression directories)
    foreach(directory IN LISTS directories)
        foreach(header IN LISTS ARGN)
            if(EXISTS "${directory}/${header}")
                file(STRINGS "${directory}/${header}" line REGEX "${expression}" LIMIT_COUNT 1)
                if(line MATCHES "${expression}")
                    set(${variable} "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}" PARENT_SCOPE)
                    return()
                endif()
            endif()
        endforeach()
    endforeach()
    message(FATAL_ERROR "no ${expression} in ${directories}")
endfunction()
release(asio_release "define ASIO_VERSION [0-9]+ // ([0-9]+)[.]([0-9]+)[.]([0-9]+)" "${ASIO}"
    asio/version.hpp)
release(fmt_release "define FMT_VERSION ([0-9]+)0([0-9])0([0-9])$" "${FMT}" fmt/base.h fmt/core.h)

# says_releases(<build>): its list of parts and its package name those of Asio and fmt.
function(says_releases build)
    file(GLOB_RECURSE list "${OUTPUT}/${build}/asynchat.spdx")
    file(READ "${list}" text)
    file(GLOB_RECURSE package "${OUTPUT}/${build}/asynchatConfig.cmake")
    file(READ "${package}" compared)
    foreach(library IN ITEMS asio fmt)
        set(wanted "PackageName: ${library}\nSPDXID: SPDXRef-${library}\n\
PackageVersion: ${${library}_release}\n")
        string(FIND "${text}" "${wanted}" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "${build}: no '${wanted}' in ${text}")
        endif()
        if(NOT compared MATCHES "_compare[(]${library} \"${${library}_release}\"")
            message(FATAL_ERROR "${build}: the package does not compare ${library}")
        endif()
    endforeach()
endfunction()

# Asio and fmt installed, from a download, and of the project around.
install(both static -DBUILD_SHARED_LIBS=OFF)
install(both shared -DBUILD_SHARED_LIBS=ON)
install(plain plain-static -DASYNCHAT_TLS=OFF -DASYNCHAT_WEBSOCKET=OFF)
says_releases(static)
configure("${tree}" fetched -DCMAKE_DISABLE_FIND_PACKAGE_asio=ON -DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON
    "-DFETCHCONTENT_SOURCE_DIR_ASIO=${REPOSITORIES}/asio-1.38"
    "-DFETCHCONTENT_SOURCE_DIR_FMT=${REPOSITORIES}/fmt")
says_releases(fetched)
configure("${CMAKE_CURRENT_LIST_DIR}/package" around -DCASE=around "-DTREE=${tree}"
    "-DASIO=${ASIO}" "-DFMT=${FMT}")
says_releases(around)

# refuses(<message> <option>...): a project around with targets that are too old.
function(refuses message)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/package" -B "${OUTPUT}/refused"
            -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCASE=around "-DTREE=${tree}"
            ${ARGN}
        OUTPUT_QUIET ERROR_VARIABLE error RESULT_VARIABLE result)
    if(NOT result OR NOT error MATCHES "${message}")
        message(FATAL_ERROR "Expected an error that says '${message}', not: ${error}")
    endif()
endfunction()
file(WRITE "${OUTPUT}/old/asio/version.hpp" "#define ASIO_VERSION 101803 // 1.18.3\n")
file(WRITE "${OUTPUT}/old/fmt/core.h" "#define FMT_VERSION 80101\n")
refuses("needs[ \n]+Asio[ \n]+1[.]22.*1[.]18[.]3" "-DASIO=${OUTPUT}/old" "-DFMT=${FMT}")
refuses("needs[ \n]+fmt[ \n]+9.*8[.]1[.]1" "-DASIO=${ASIO}" "-DFMT=${OUTPUT}/old")

# Packages of Asio and fmt that others have made.
foreach(name IN ITEMS asio-without-version asio-with-version asio-old)
    set(directory "${ASIO}")
    if(name STREQUAL "asio-old")
        set(directory "${OUTPUT}/old")
    endif()
    file(WRITE "${OUTPUT}/${name}/asioConfig.cmake"
        "add_library(asio::asio INTERFACE IMPORTED)\n"
        "set_target_properties(asio::asio PROPERTIES\n"
        "    INTERFACE_INCLUDE_DIRECTORIES \"$<1:${directory}>\" FOREIGN TRUE)\n")
endforeach()
file(WRITE "${OUTPUT}/asio-with-version/asioConfigVersion.cmake"
    "set(PACKAGE_VERSION ${asio_release})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
file(WRITE "${OUTPUT}/asio-other/asio/version.hpp" "#define ASIO_VERSION 9900000\n")
file(WRITE "${OUTPUT}/fmt-other/fmt-config.cmake" "add_library(fmt::fmt INTERFACE IMPORTED)\n")
file(WRITE "${OUTPUT}/fmt-other/fmt-config-version.cmake"
    "set(PACKAGE_VERSION 99.0.0)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")

configure("${CMAKE_CURRENT_LIST_DIR}/package" cases -DCASE=find "-DOUTPUT=${OUTPUT}"
    "-DASIO=${ASIO}" "-DFMT_PREFIX=${FMT_PREFIX}" "-DTLS=${TLS}" "-DWEBSOCKET=${WEBSOCKET}")
