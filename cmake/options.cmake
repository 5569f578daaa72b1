# What every target is compiled with.
add_library(heed_options INTERFACE)
target_compile_features(heed_options INTERFACE cxx_std_20)
target_compile_options(heed_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -fstack-protector-strong -fno-math-errno)
if(HEED_WERROR)
  target_compile_options(heed_options INTERFACE -Werror)
endif()
if(HEED_SANITIZE)
  target_compile_options(heed_options INTERFACE -fsanitize=${HEED_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(heed_options INTERFACE -fsanitize=${HEED_SANITIZE})
  # gcc's own <regex> looks uninitialised to it once it is instrumented (gcc manual, -Wmaybe-uninitialized).
  target_compile_options(heed_options INTERFACE -Wno-maybe-uninitialized)
else()
  target_compile_definitions(heed_options INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
target_compile_definitions(heed_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
# simdjson 3.0 names deprecated std::iterator-like members under C++20; its headers are read as system headers.
target_include_directories(heed_options SYSTEM INTERFACE ${NLOHMANN_JSON} ${CLI11})
target_include_directories(heed_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
# base/error.h includes it, and with it nearly every file.
target_link_libraries(heed_options INTERFACE fmt::fmt)
if(HEED_OPENMP)
  target_link_libraries(heed_options INTERFACE OpenMP::OpenMP_CXX)
else()
  target_compile_options(heed_options INTERFACE -Wno-unknown-pragmas)
endif()

# heed_precompile(TARGET HEADER …): headers that are read once for all targets that say heed_use_precompiled(…). A file
# must compile without them: ./dev lint does.
function(heed_precompile target)
  file(TOUCH ${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp)
  add_library(${target} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp)
  if(HEED_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

function(heed_use_precompiled target headers)
  if(HEED_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${headers})
    # For ccache.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endfunction()

# gcc 12 sees copies beyond strings inside <string> once that comes out of a precompiled header, where it no longer counts
# as the system's: for targets that it does so in.
function(heed_forgive_strings target)
  if(HEED_PRECOMPILE)
    target_compile_options(${target} PRIVATE
      "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overread;-Wno-stringop-overflow;-Wno-restrict>")
  endif()
endfunction()
