# Finds ONNX Runtime and defines the target ONNXRuntime::ONNXRuntime. Where it looks:
#
#   -DONNXRUNTIME_ROOT=DIR         an unpacked release archive: DIR/include and DIR/lib
#   -DPython3_EXECUTABLE=PYTHON    the library inside that Python's package onnxruntime, which brings no headers
#   neither                        the system, e.g. libonnxruntime-dev of Debian
#   -DONNXRUNTIME_INCLUDE_DIR=DIR  headers from elsewhere; they may be older than the library, not newer

if(ONNXRUNTIME_ROOT)
  find_library(ONNXRUNTIME_LIBRARY onnxruntime PATHS ${ONNXRUNTIME_ROOT}/lib NO_DEFAULT_PATH)
  set(_wanted "in ${ONNXRUNTIME_ROOT}/lib; ONNXRUNTIME_ROOT must be an unpacked release archive of ONNX Runtime")
elseif(Python3_EXECUTABLE)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c
            "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])"
    OUTPUT_VARIABLE _package OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  file(GLOB _library ${_package}/capi/libonnxruntime.so.*)
  if(_package AND _library)
    # The package holds libonnxruntime.so.1.X.Y, but programs load libonnxruntime.so.1, the name written inside it.
    set(ONNXRUNTIME_LIBRARY ${CMAKE_CURRENT_BINARY_DIR}/libonnxruntime.so.1)
    file(CREATE_LINK ${_library} ${ONNXRUNTIME_LIBRARY} SYMBOLIC)
  endif()
  set(_wanted "in the packages of ${Python3_EXECUTABLE}; run: ${Python3_EXECUTABLE} -m pip install onnxruntime")
else()
  find_library(ONNXRUNTIME_LIBRARY onnxruntime)
  set(_wanted "on this system; install libonnxruntime-dev, or give -DONNXRUNTIME_ROOT or -DPython3_EXECUTABLE")
endif()
if(NOT ONNXRUNTIME_LIBRARY)
  message(FATAL_ERROR "no ONNX Runtime library ${_wanted}")
endif()

find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_cxx_api.h HINTS ${ONNXRUNTIME_ROOT}/include PATH_SUFFIXES onnxruntime)
if(NOT EXISTS "${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_cxx_api.h")
  message(FATAL_ERROR "onnxruntime_cxx_api.h is not in ONNXRUNTIME_INCLUDE_DIR (${ONNXRUNTIME_INCLUDE_DIR}); on Debian "
                      "run ${CMAKE_CURRENT_SOURCE_DIR}/get_headers.sh DIR and give -DONNXRUNTIME_INCLUDE_DIR=DIR")
endif()
message(STATUS "ONNX Runtime: ${ONNXRUNTIME_LIBRARY}, headers in ${ONNXRUNTIME_INCLUDE_DIR}")

add_library(ONNXRuntime::ONNXRuntime SHARED IMPORTED)
set_target_properties(
  ONNXRuntime::ONNXRuntime PROPERTIES IMPORTED_LOCATION ${ONNXRUNTIME_LIBRARY}
                                      INTERFACE_INCLUDE_DIRECTORIES ${ONNXRUNTIME_INCLUDE_DIR})
