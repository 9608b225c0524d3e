# Finds standalone Asio and makes the target asio::asio.
#
# Asio ships no CMake package. A package that somebody else made for it is taken if there is one,
# else the bare headers, whose version is read from asio/version.hpp.
#
# Sets asio_FOUND, asio_VERSION and asio_INCLUDE_DIR (cached; may be given).

include(FindPackageHandleStandardArgs)

if(NOT TARGET asio::asio AND NOT asio_INCLUDE_DIR)
    find_package(asio ${asio_FIND_VERSION} CONFIG QUIET)
endif()

if(TARGET asio::asio AND NOT asio_INCLUDE_DIR)
    # From a package or from the project around us, which answers for its version.
    set(asio_FOUND TRUE)
    return()
endif()

find_path(asio_INCLUDE_DIR NAMES asio/version.hpp)
mark_as_advanced(asio_INCLUDE_DIR)

set(asio_VERSION "")
if(asio_INCLUDE_DIR AND EXISTS "${asio_INCLUDE_DIR}/asio/version.hpp")
    # 102201 is 1.22.1.
    file(STRINGS "${asio_INCLUDE_DIR}/asio/version.hpp" asio_VERSION
         REGEX "^#define ASIO_VERSION [0-9]+")
    string(REGEX REPLACE "^#define ASIO_VERSION ([0-9]+).*" "\\1" asio_VERSION "${asio_VERSION}")
    math(EXPR asio_major "${asio_VERSION} / 100000")
    math(EXPR asio_minor "${asio_VERSION} / 100 % 1000")
    math(EXPR asio_patch "${asio_VERSION} % 100")
    set(asio_VERSION "${asio_major}.${asio_minor}.${asio_patch}")
endif()

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
