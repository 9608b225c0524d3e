# Finds standalone Asio and makes the target asio::asio.
#
# Asio ships no CMake package. A package that somebody else made for it is taken if there is one,
# else the bare headers. The version is that of asio/version.hpp.
#
# Sets asio_FOUND, asio_VERSION and asio_INCLUDE_DIR (cached; may be given).

include(FindPackageHandleStandardArgs)
include("${CMAKE_CURRENT_LIST_DIR}/asynchatConfigReleases.cmake")

if(NOT TARGET asio::asio AND NOT asio_INCLUDE_DIR)
    find_package(asio ${asio_FIND_VERSION} CONFIG QUIET)
    # A package without a version fits no version that is asked for, not even in a second search
    # for any: inside of this file CMake asks for the same version again.
    foreach(asio_package IN ZIP_LISTS asio_CONSIDERED_CONFIGS asio_CONSIDERED_VERSIONS)
        if(NOT TARGET asio::asio AND asio_package_1 STREQUAL "unknown")
            include("${asio_package_0}")
        endif()
    endforeach()
endif()

if(TARGET asio::asio AND NOT asio_INCLUDE_DIR)
    # From a package or from the project around us.
    asynchat_release_of(asio_of_target asio asio::asio)
    if(asio_of_target STREQUAL "")
        # Its headers are not to be seen here; then it answers for its version.
        set(asio_FOUND TRUE)
        return()
    endif()
    set(asio_VERSION "${asio_of_target}")
    set(asio_of_target asio::asio)
    find_package_handle_standard_args(asio REQUIRED_VARS asio_of_target VERSION_VAR asio_VERSION)
    return()
endif()

find_path(asio_INCLUDE_DIR NAMES asio/version.hpp)
mark_as_advanced(asio_INCLUDE_DIR)
asynchat_release_in(asio_VERSION asio ${asio_INCLUDE_DIR})

find_package(Threads QUIET)

find_package_handle_standard_args(asio
    REQUIRED_VARS asio_INCLUDE_DIR Threads_FOUND
    VERSION_VAR asio_VERSION
    REASON_FAILURE_MESSAGE "(Debian and Ubuntu: libasio-dev)")

if(asio_FOUND AND NOT TARGET asio::asio)
    add_library(asio::asio INTERFACE IMPORTED)
    set_target_properties(asio::asio PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${asio_INCLUDE_DIR}"
        INTERFACE_COMPILE_DEFINITIONS ASIO_STANDALONE
        INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
