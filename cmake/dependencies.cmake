# What asynchat needs: installed if possible, else fetched at a fixed commit.
#
# asynchat_need_asio()    sets asynchat_asio_target, and asio_VERSION where it can be known
# asynchat_need_fmt()     sets asynchat_fmt_target, and fmt_VERSION
# asynchat_need_catch2()  for the tests; makes catch_discover_tests() known
#
# A target that the project around us made already is used as it is. A directory given as
# FETCHCONTENT_SOURCE_DIR_ASIO, _FMT or _CATCH2 replaces the download.

include(FetchContent)
include("${CMAKE_CURRENT_LIST_DIR}/asynchatConfigReleases.cmake")

# asynchat_fetch(<name> <what> <Debian package> <release> <repository> <commit> [<option>...])
# Sets <name>_SOURCE_DIR for the caller.
function(asynchat_fetch name what package release repository commit)
    set(missing "asynchat: ${what} is not installed (Debian and Ubuntu: ${package})")
    if(NOT ASYNCHAT_FETCH_DEPS)
        message(FATAL_ERROR "${missing}. Install it, or set ASYNCHAT_FETCH_DEPS=ON.")
    endif()
    message(STATUS "${missing}; fetching ${release}")
    FetchContent_Declare(${name}
        GIT_REPOSITORY ${repository}
        GIT_TAG ${commit} # ${release}
        ${ARGN})
    set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
    FetchContent_MakeAvailable(${name})
    # CMake says nothing when it may not download.
    if(FETCHCONTENT_FULLY_DISCONNECTED AND NOT EXISTS "${${name}_SOURCE_DIR}")
        message(FATAL_ERROR "${missing}, and FETCHCONTENT_FULLY_DISCONNECTED forbids fetching it.")
    endif()
    set(${name}_SOURCE_DIR "${${name}_SOURCE_DIR}" PARENT_SCOPE)
endfunction()

# The headers of a fetched library get no warnings of ours. (FetchContent can say so itself, but
# only from CMake 3.25 on.)
function(asynchat_make_system target)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set_target_properties(${target} PROPERTIES
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${directories}")
endfunction()

# asynchat_refuse_older(<what> <least release> <that of the target, or nothing>): a target of the
# project around us cannot be replaced.
function(asynchat_refuse_older what least found)
    if(found AND found VERSION_LESS least)
        message(FATAL_ERROR "asynchat needs ${what} ${least} or later; found is ${what} ${found}")
    endif()
endfunction()

macro(asynchat_need_asio)
    if(TARGET asio::asio)
        asynchat_release_of(asio_VERSION asio asio::asio)
        asynchat_refuse_older(Asio 1.22 "${asio_VERSION}")
        set(asio_FOUND TRUE)
    else()
        find_package(asio 1.22 QUIET MODULE)
    endif()
    # A package whose headers are too old makes the target asio::asio in spite of that.
    if(NOT asio_FOUND)
        # There is nothing to build, and SOURCE_SUBDIR points nowhere so that nothing is tried.
        asynchat_fetch(asio "Asio 1.22 or later" libasio-dev "Asio 1.38.2"
            https://github.com/chriskohlhoff/asio.git
            8806a6803cde7054c3049d3666d3ec36786568c5
            SOURCE_SUBDIR none)
        # Its headers moved from asio/include to include in 1.38.
        find_path(asynchat_asio_include asio/version.hpp
            PATHS "${asio_SOURCE_DIR}/include" "${asio_SOURCE_DIR}/asio/include"
            NO_DEFAULT_PATH NO_CACHE REQUIRED)
        asynchat_release_in(asio_VERSION asio "${asynchat_asio_include}")
        find_package(Threads REQUIRED)
        add_library(asynchat_asio INTERFACE)
        target_include_directories(asynchat_asio SYSTEM INTERFACE "${asynchat_asio_include}")
        target_compile_definitions(asynchat_asio INTERFACE ASIO_STANDALONE)
        target_link_libraries(asynchat_asio INTERFACE Threads::Threads)
    endif()
    set(asynchat_asio_target asio::asio)
    if(TARGET asynchat_asio)
        set(asynchat_asio_target asynchat_asio)
    endif()
endmacro()

macro(asynchat_need_fmt)
    set(fmt_VERSION "")
    if(NOT TARGET fmt::fmt)
        find_package(fmt 9 QUIET)
    endif()
    if(NOT TARGET fmt::fmt)
        asynchat_fetch(fmt "fmt 9 or later" libfmt-dev "fmt 12.2.0"
            https://github.com/fmtlib/fmt.git
            1be298e1bd68957e4cd352e1f676f00e07dcfb57)
        asynchat_make_system(fmt)
    endif()
    asynchat_release_of(asynchat_release fmt fmt::fmt)
    asynchat_refuse_older(fmt 9 "${asynchat_release}")
    if(asynchat_release)
        set(fmt_VERSION "${asynchat_release}")
    endif()
    set(asynchat_fmt_target fmt::fmt)
endmacro()

macro(asynchat_need_catch2)
    if(NOT TARGET Catch2::Catch2)
        # Two questions, because a Catch2 package answers for its own major version only.
        find_package(Catch2 3 QUIET)
        if(NOT Catch2_FOUND)
            find_package(Catch2 2.13 QUIET)
        endif()
    endif()
    if(NOT TARGET Catch2::Catch2)
        asynchat_fetch(catch2 "Catch2 2.13 or later" catch2 "Catch2 3.7.1"
            https://github.com/catchorg/Catch2.git
            fa43b77429ba76c462b1898d6cd2f2d7a9416b14)
        asynchat_make_system(Catch2)
        list(APPEND CMAKE_MODULE_PATH "${catch2_SOURCE_DIR}/extras")
    endif()
    include(Catch)
endmacro()
