# Which release of Asio or fmt there is. A target of the project around us, or of a download, has no
# package that says so, and a package may have no version; but the headers always say it.

# asynchat_release_in(<variable> <library> <directory>...): what the headers of asio or fmt say in
# one of these directories, else nothing.
function(asynchat_release_in variable library)
    # 102201 is Asio 1.22.1, and 90100 is fmt 9.1.0.
    set(headers fmt/base.h fmt/core.h)
    set(macro FMT_VERSION)
    set(minors 100)
    if(library STREQUAL "asio")
        set(headers asio/version.hpp)
        set(macro ASIO_VERSION)
        set(minors 1000)
    endif()
    set(${variable} "" PARENT_SCOPE)
    foreach(directory IN LISTS ARGN)
        foreach(header IN LISTS headers)
            if(EXISTS "${directory}/${header}")
                file(STRINGS "${directory}/${header}" line REGEX "^#define ${macro} [0-9]+")
                if(line MATCHES "${macro} ([0-9]+)")
                    set(number "${CMAKE_MATCH_1}")
                    math(EXPR major "${number} / 100 / ${minors}")
                    math(EXPR minor "${number} / 100 % ${minors}")
                    math(EXPR patch "${number} % 100")
                    set(${variable} "${major}.${minor}.${patch}" PARENT_SCOPE)
                    return()
                endif()
            endif()
        endforeach()
    endforeach()
endfunction()

# asynchat_release_of(<variable> <library> <target>): the same for the headers of a target.
function(asynchat_release_of variable library target)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    # A generator expression may be around each: $<BUILD_INTERFACE:/directory>
    string(REGEX REPLACE "[$]<|[:>]" ";" directories "${directories}")
    asynchat_release_in(release ${library} ${directories})
    set(${variable} "${release}" PARENT_SCOPE)
endfunction()
