# Writes asynchat.spdx into generated_dir: the library, its licence, and the libraries that it was
# built with, in the format SPDX 2.3. SOURCE_DATE_EPOCH is its date where it is set.

string(TIMESTAMP spdx_created UTC)
set(spdx_packages "")

# asynchat_spdx_package(<name> <version, or empty> <licence>)
macro(asynchat_spdx_package name version licence)
    string(APPEND spdx_packages "\nPackageName: ${name}\nSPDXID: SPDXRef-${name}\n")
    if(NOT "${version}" STREQUAL "")
        string(APPEND spdx_packages "PackageVersion: ${version}\n")
    endif()
    string(APPEND spdx_packages
        "PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\n"
        "PackageLicenseConcluded: NOASSERTION\nPackageLicenseDeclared: ${licence}\n"
        "PackageCopyrightText: NOASSERTION\n")
    if("${name}" STREQUAL "asynchat")
        string(APPEND spdx_packages "Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-asynchat\n")
    else()
        string(APPEND spdx_packages "Relationship: SPDXRef-asynchat DEPENDS_ON SPDXRef-${name}\n")
    endif()
endmacro()

asynchat_spdx_package(asynchat "${PROJECT_VERSION}" BSL-1.0)
asynchat_spdx_package(asio "${asio_VERSION}" BSL-1.0)
asynchat_spdx_package(fmt "${fmt_VERSION}" MIT)
if(TARGET asynchat_tls OR TARGET asynchat_websocket)
    asynchat_spdx_package(openssl "${OPENSSL_VERSION}" Apache-2.0)
endif()

# The same document has the same name everywhere.
string(UUID spdx_uuid NAMESPACE 6ba7b812-9dad-11d1-80b4-00c04fd430c8
    NAME "${spdx_created}${spdx_packages}" TYPE SHA1)
file(WRITE "${generated_dir}/asynchat.spdx"
    "SPDXVersion: SPDX-2.3\n"
    "DataLicense: CC0-1.0\n"
    "SPDXID: SPDXRef-DOCUMENT\n"
    "DocumentName: asynchat-${PROJECT_VERSION}\n"
    "DocumentNamespace: urn:uuid:${spdx_uuid}\n"
    "Creator: Organization: The asynchat developers\n"
    "Created: ${spdx_created}\n"
    "${spdx_packages}")
