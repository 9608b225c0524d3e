# Installs the headers, the targets, the CMake package, the pkg-config files and the list of parts.

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/asynchat")
set(generated_dir "${PROJECT_BINARY_DIR}/package")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/asynchat"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

# A static and a shared library may be installed into one prefix.
get_target_property(linkage asynchat TYPE)
if(linkage STREQUAL "STATIC_LIBRARY")
    set(linkage Static)
else()
    set(linkage Shared)
endif()
# asynchat_install_target(<target> <file>): the headers alone have files of their own, as they can be
# used also where the compiled library cannot.
function(asynchat_install_target target file)
    install(TARGETS ${target} EXPORT ${target}_targets)
    install(EXPORT ${target}_targets FILE ${file}
        NAMESPACE asynchat:: DESTINATION "${package_dir}")
endfunction()
asynchat_install_target(asynchat asynchat${linkage}Targets.cmake)
asynchat_install_target(asynchat_header_only asynchatConfigHeaderOnlyTargets.cmake)
if(TARGET asynchat_tls)
    asynchat_install_target(asynchat_tls asynchatTls${linkage}Targets.cmake)
    asynchat_install_target(asynchat_tls_header_only asynchatTlsHeaderOnlyTargets.cmake)
endif()
if(TARGET asynchat_websocket)
    asynchat_install_target(asynchat_websocket asynchatWebsocket${linkage}Targets.cmake)
    asynchat_install_target(asynchat_websocket_header_only
        asynchatWebsocketHeaderOnlyTargets.cmake)
endif()

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/asynchatConfig.cmake.in"
    "${generated_dir}/asynchatConfig.cmake"
    INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
    "${generated_dir}/asynchatConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
    "${generated_dir}/asynchatConfig.cmake"
    "${generated_dir}/asynchatConfigVersion.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/asynchatConfigReleases.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/Findasio.cmake"
    DESTINATION "${package_dir}")

# All paths of the pkg-config file start from where it lies, so that the prefix can be moved.
file(RELATIVE_PATH pc_prefix
    "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
file(RELATIVE_PATH pc_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(
    "${CMAKE_CURRENT_LIST_DIR}/asynchat.pc.in" "${generated_dir}/asynchat.pc" @ONLY)
install(FILES "${generated_dir}/asynchat.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TARGET asynchat_tls)
    # A program with the static library links OpenSSL itself.
    set(pc_openssl "Requires.private: openssl >= 3")
    if(linkage STREQUAL "Static")
        set(pc_openssl "Requires: openssl >= 3")
    endif()
    configure_file(
        "${CMAKE_CURRENT_LIST_DIR}/asynchat-tls.pc.in" "${generated_dir}/asynchat-tls.pc" @ONLY)
    install(FILES "${generated_dir}/asynchat-tls.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

if(TARGET asynchat_websocket)
    set(pc_libcrypto "Requires.private: libcrypto >= 3")
    if(linkage STREQUAL "Static")
        set(pc_libcrypto "Requires: libcrypto >= 3")
    endif()
    configure_file("${CMAKE_CURRENT_LIST_DIR}/asynchat-websocket.pc.in"
        "${generated_dir}/asynchat-websocket.pc" @ONLY)
    install(FILES "${generated_dir}/asynchat-websocket.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

include("${CMAKE_CURRENT_LIST_DIR}/packaging/spdx.cmake")
install(FILES "${generated_dir}/asynchat.spdx" DESTINATION "${CMAKE_INSTALL_DATADIR}/asynchat")
