# What all compiled libraries of asynchat have in common.

set(asynchat_export_options "")
if(UNIX AND NOT APPLE)
    set(asynchat_export_options "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map")
endif()

function(asynchat_library target)
    set_target_properties(${target} PROPERTIES
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
        # A static library may be linked into somebody's shared object or plug-in.
        POSITION_INDEPENDENT_CODE ON
        # What bears ASYNCHAT_API is exported, whatever a parent project prefers for itself.
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON)
    target_link_options(${target} PRIVATE ${asynchat_export_options})
    asynchat_warnings(${target})
    if(ASYNCHAT_DEVELOPER_MODE)
        # As its tests and examples: the types of Asio differ by this.
        target_compile_definitions(${target} PRIVATE ASIO_NO_DEPRECATED)
    endif()
endfunction()

# asynchat::<name> and asynchat::<name>_header_only, which stand on asynchat and need `library`.
function(asynchat_part name library)
    add_library(asynchat_${name} src/${name}.cpp)
    add_library(asynchat::${name} ALIAS asynchat_${name})
    set_target_properties(asynchat_${name} PROPERTIES EXPORT_NAME ${name})
    target_link_libraries(asynchat_${name} PUBLIC asynchat PRIVATE ${library})
    asynchat_library(asynchat_${name})

    add_library(asynchat_${name}_header_only INTERFACE)
    add_library(asynchat::${name}_header_only ALIAS asynchat_${name}_header_only)
    set_target_properties(asynchat_${name}_header_only PROPERTIES
        EXPORT_NAME ${name}_header_only)
    target_link_libraries(asynchat_${name}_header_only INTERFACE asynchat_header_only ${library})
endfunction()
