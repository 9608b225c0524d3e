# SPDX-License-Identifier: BSL-1.0
# An overlay port of the tree that it lies in:
#   vcpkg install asynchat --overlay-ports=cmake/packaging/vcpkg
# vcpkg looks only at the files of a port, so an edit in the rest of the tree is not noticed: what was
# built before is restored. After an edit: vcpkg remove asynchat; vcpkg install --no-binarycaching ...
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS feature_options FEATURES
    tls ASYNCHAT_TLS websocket ASYNCHAT_WEBSOCKET)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS ${feature_options} -DASYNCHAT_FETCH_DEPS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/asynchat)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE
    "${CURRENT_PACKAGES_DIR}/debug/include"
    "${CURRENT_PACKAGES_DIR}/debug/share"
    "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CURRENT_PORT_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
