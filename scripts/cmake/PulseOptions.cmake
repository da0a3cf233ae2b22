# Language, warnings, sanitizers, linker: the same for every target of ours, none for other people's headers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(PULSE_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
if(PULSE_SANITIZE)
  add_compile_options(-fsanitize=${PULSE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PULSE_SANITIZE})
endif()

add_library(pulse_warnings INTERFACE)
target_compile_options(pulse_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror)
# gcc 12 reports these in its own headers and in inlined third-party code, whoever is at fault.
target_compile_options(pulse_warnings INTERFACE -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
                       -Wno-error=restrict -Wno-error=array-bounds -Wno-error=null-dereference -Wno-error=free-nonheap-object)
