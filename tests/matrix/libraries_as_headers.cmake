# For a compiler that cannot link what is installed here, because it is for another processor or has
# another standard library: Asio, fmt and Catch2 as headers only, by links, so that nothing else of
# /usr/include is seen. A value of CMAKE_PROJECT_asynchat_INCLUDE.
set(headers "${CMAKE_BINARY_DIR}/headers")
file(MAKE_DIRECTORY "${headers}")
foreach(name IN ITEMS asio asio.hpp fmt catch2)
    file(CREATE_LINK "/usr/include/${name}" "${headers}/${name}" SYMBOLIC)
endforeach()

find_package(Threads REQUIRED)
foreach(name IN ITEMS asio::asio fmt::fmt Catch2::Catch2)
    add_library(${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${name} SYSTEM INTERFACE "${headers}")
endforeach()
target_compile_definitions(asio::asio INTERFACE ASIO_STANDALONE)
target_link_libraries(asio::asio INTERFACE Threads::Threads)
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
list(APPEND CMAKE_MODULE_PATH /usr/lib/cmake/Catch2)
