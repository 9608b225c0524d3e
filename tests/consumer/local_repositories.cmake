# Makes directories in OUTPUT that are laid out like the repositories of Asio (before and since
# 1.38), fmt and Catch2, out of the installed headers in ASIO, FMT and CATCH2 and the CMake module
# in one of CATCH2_MODULES. They stand in for the network.

function(copy_headers name from to)
    foreach(directory IN LISTS from)
        if(EXISTS "${directory}/${name}")
            file(GLOB entries "${directory}/${name}" "${directory}/${name}.hpp")
            file(COPY ${entries} DESTINATION "${to}")
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "no ${name} in ${from}")
endfunction()

file(REMOVE_RECURSE "${OUTPUT}")
copy_headers(asio "${ASIO}" "${OUTPUT}/asio-1.36/asio/include")
copy_headers(asio "${ASIO}" "${OUTPUT}/asio-1.38/include")

copy_headers(fmt "${FMT}" "${OUTPUT}/fmt/include")
file(WRITE "${OUTPUT}/fmt/CMakeLists.txt" [[
project(fmt LANGUAGES CXX)
file(WRITE "${PROJECT_BINARY_DIR}/fmt.cpp" "// empty\n")
add_library(fmt STATIC "${PROJECT_BINARY_DIR}/fmt.cpp")
add_library(fmt::fmt ALIAS fmt)
target_include_directories(fmt PUBLIC "${PROJECT_SOURCE_DIR}/include")
target_compile_definitions(fmt INTERFACE FMT_HEADER_ONLY)
]])

copy_headers(catch2 "${CATCH2}" "${OUTPUT}/catch2/include")
foreach(directory IN LISTS CATCH2_MODULES)
    if(EXISTS "${directory}/Catch.cmake")
        file(GLOB modules "${directory}/Catch*.cmake")
        file(COPY ${modules} DESTINATION "${OUTPUT}/catch2/extras")
    endif()
endforeach()
file(WRITE "${OUTPUT}/catch2/CMakeLists.txt" [[
project(Catch2 LANGUAGES CXX)
add_library(Catch2 INTERFACE)
add_library(Catch2::Catch2 ALIAS Catch2)
target_include_directories(Catch2 INTERFACE "${PROJECT_SOURCE_DIR}/include")
if(EXISTS "${PROJECT_SOURCE_DIR}/include/catch2/catch_all.hpp") # 3.x: with a main function
    add_library(Catch2WithMain INTERFACE)
    add_library(Catch2::Catch2WithMain ALIAS Catch2WithMain)
    target_link_libraries(Catch2WithMain INTERFACE Catch2)
endif()
]])
