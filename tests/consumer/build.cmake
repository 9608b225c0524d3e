# Configures SOURCE in BUILD (from scratch) with OPTIONS, builds TARGETS (all if none is named),
# runs the programs of RUN, and installs to INSTALL. FAILS_WITH: configuring fails and says that.

function(run)
    message(STATUS "${ARGN}")
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${BUILD}")
set(configure "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" -G "${GENERATOR}"
    --no-warn-unused-cli ${OPTIONS})

if(FAILS_WITH)
    execute_process(COMMAND ${configure} RESULT_VARIABLE result
        OUTPUT_VARIABLE error ERROR_VARIABLE error)
    if(result EQUAL 0 OR NOT error MATCHES "${FAILS_WITH}")
        message(FATAL_ERROR "Expected a failure that says '${FAILS_WITH}', not: ${error}")
    endif()
    return()
endif()

run(${configure})

set(target "")
if(TARGETS)
    set(target --target ${TARGETS})
endif()
run("${CMAKE_COMMAND}" --build "${BUILD}" ${target} --parallel 1)

foreach(program IN LISTS RUN)
    run("${BUILD}/${program}")
endforeach()

if(INSTALL)
    # Moved after the installation: nothing installed may know where it lies.
    file(REMOVE_RECURSE "${INSTALL}" "${INSTALL}-before")
    run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${INSTALL}-before")
    file(RENAME "${INSTALL}-before" "${INSTALL}")
endif()
