# TfliteAlign: align a .tflite model as a step of the build, and fail the build with the findings.
#
#   include(TfliteAlign)
#   tflite_align_model(<target> <in> <out>
#       [TARGETS tflm ethos-u55 ...]    whose rules must hold (default: tflite)
#       [REQUIRE tflm numbers ...]      judges whose silence fails the build
#       [LOCK io.json]                  the border that firmware has compiled in; must exist
#       [OPTIONS --io free ...]         any further option of the command line
#       [DEPENDS file ...]              further files the options name (calibration ...)
#       [C_ARRAY <name>]                also emit `<name>` and `<name>_len` as C source
#       [RESOLVER ops.h]                also emit a C++ header that registers the operators with TFLM
#       [NO_VERIFY])                    skip the judges
#
# <in> is relative to the source folder, <out> and the header to the binary folder. <target> becomes
# a library: STATIC with C_ARRAY, else INTERFACE. Both headers are on the include path of who links
# it. Properties of <target>: TFLITE_ALIGN_MODEL (the aligned file), TFLITE_ALIGN_SOURCE, _HEADER.
#
# TFLITE_ALIGN_EXECUTABLE: the command to run, a list; default: the Python found, -P -m tflite_align
# (-P: no modules from the folder that the build runs in).
# Python3_EXECUTABLE chooses the Python.
cmake_minimum_required(VERSION 3.16)

set(_TFLITE_ALIGN_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(_tflite_align_command result)
  if(TFLITE_ALIGN_EXECUTABLE)
    set(${result} ${TFLITE_ALIGN_EXECUTABLE} PARENT_SCOPE)
    return()
  endif()
  find_package(Python3 3.11 COMPONENTS Interpreter REQUIRED)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -P -m tflite_align --version
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR
      "tflite_align_model: ${Python3_EXECUTABLE} has no tflite_align; "
      "install it there, or set Python3_EXECUTABLE or TFLITE_ALIGN_EXECUTABLE")
  endif()
  set(${result} "${Python3_EXECUTABLE}" -P -m tflite_align PARENT_SCOPE)
endfunction()

function(tflite_align_model target in out)
  cmake_parse_arguments(PARSE_ARGV 3 arg "NO_VERIFY" "LOCK;C_ARRAY;RESOLVER"
    "TARGETS;REQUIRE;OPTIONS;DEPENDS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tflite_align_model: unknown argument ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(in "${in}" ABSOLUTE)
  get_filename_component(out "${out}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  get_filename_component(folder "${out}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  _tflite_align_command(command)

  set(options ${arg_OPTIONS})
  foreach(name IN LISTS arg_TARGETS)
    list(APPEND options --target "${name}")
  endforeach()
  foreach(name IN LISTS arg_REQUIRE)
    list(APPEND options --require "${name}")
  endforeach()
  if(arg_NO_VERIFY)
    list(APPEND options --no-verify)
  endif()
  set(depends "${in}")
  foreach(file IN LISTS arg_DEPENDS)
    get_filename_component(file "${file}" ABSOLUTE)
    list(APPEND depends "${file}")
  endforeach()
  if(arg_LOCK)
    get_filename_component(lock "${arg_LOCK}" ABSOLUTE)
    if(NOT EXISTS "${lock}")
      message(FATAL_ERROR "tflite_align_model: lock file not found: ${lock}; write it with "
        "`tflite-align check <aligned model> --lock <file>` and commit it")
    endif()
    list(APPEND options --lock "${lock}")
    list(APPEND depends "${lock}")
  endif()

  set(outputs "${out}")
  if("--emit-resolver" IN_LIST arg_OPTIONS)
    message(FATAL_ERROR "tflite_align_model: write RESOLVER <file> in place of OPTIONS "
      "--emit-resolver: the build has to know the header")
  endif()
  if(arg_RESOLVER)
    get_filename_component(resolver "${arg_RESOLVER}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
    get_filename_component(resolver_folder "${resolver}" DIRECTORY)
    file(MAKE_DIRECTORY "${resolver_folder}")
    list(APPEND options --emit-resolver "${resolver}")
    list(APPEND outputs "${resolver}")
  endif()

  # OUT is touched: the command leaves a file that is its own answer alone, and the build goes by
  # its time.
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${command} align "${in}" "${out}" ${options}
    COMMAND "${CMAKE_COMMAND}" -E touch ${outputs}
    DEPENDS ${depends}
    COMMENT "tflite_align: ${out}"
    VERBATIM)

  if(arg_C_ARRAY)
    if(NOT arg_C_ARRAY MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
      message(FATAL_ERROR "tflite_align_model: C_ARRAY ${arg_C_ARRAY} is no C identifier")
    endif()
    set(source "${folder}/${arg_C_ARRAY}.c")
    set(header "${folder}/${arg_C_ARRAY}.h")
    set(script "${_TFLITE_ALIGN_DIR}/TfliteAlignCArray.cmake")
    add_custom_command(
      OUTPUT "${source}" "${header}"
      COMMAND "${CMAKE_COMMAND}" "-DIN=${out}" "-DNAME=${arg_C_ARRAY}" "-DSOURCE=${source}"
              "-DHEADER=${header}" -P "${script}"
      DEPENDS "${out}" "${script}"
      COMMENT "tflite_align: ${source}"
      VERBATIM)
    add_library(${target} STATIC "${source}" "${header}" ${resolver})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
    target_include_directories(${target} PUBLIC "${folder}")
    set_target_properties(${target} PROPERTIES
      TFLITE_ALIGN_SOURCE "${source}" TFLITE_ALIGN_HEADER "${header}")
  else()
    add_custom_target(${target}_model ALL DEPENDS ${outputs})
    add_library(${target} INTERFACE)
    add_dependencies(${target} ${target}_model)
  endif()
  if(arg_RESOLVER)
    target_include_directories(${target} INTERFACE "${resolver_folder}")
  endif()
  if(arg_C_ARRAY OR NOT CMAKE_VERSION VERSION_LESS 3.19)
    # Older ones allow no such property on an INTERFACE library.
    set_target_properties(${target} PROPERTIES TFLITE_ALIGN_MODEL "${out}")
  endif()
endfunction()
