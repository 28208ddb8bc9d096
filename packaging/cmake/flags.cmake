# How every file of Kedge is compiled: C17, warnings as errors, hardened.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")

add_compile_definitions(_GNU_SOURCE KEDGE_VERSION="${PROJECT_VERSION}")
# A verdict must be recomputable to the same bits: no contraction, no fast-math.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wpointer-arith -Wcast-qual -Werror
  -Wno-overlength-strings -ffp-contract=off -fno-fast-math -fno-strict-aliasing
  -fstack-protector-strong
  # Rows of tables leave out their trailing fields: absent means zero. And a line of the
  # log may have no facts.
  -Wno-missing-field-initializers -Wno-format-zero-length)
include_directories(${CMAKE_SOURCE_DIR})

# What the sanitizers add hides from gcc that a variable is set; the release build, where
# nothing hides it, keeps this warning.
if(NOT KEDGE_SANITIZE STREQUAL "off" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized)
endif()

if(KEDGE_SANITIZE STREQUAL "off")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fcf-protection)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
elseif(KEDGE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=address,undefined)
elseif(KEDGE_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=thread)
elseif(KEDGE_SANITIZE STREQUAL "fuzz")
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "KEDGE_SANITIZE=fuzz needs clang: cmake -DCMAKE_C_COMPILER=clang")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=address,undefined)
else()
  message(FATAL_ERROR "KEDGE_SANITIZE is off, address, thread or fuzz")
endif()
