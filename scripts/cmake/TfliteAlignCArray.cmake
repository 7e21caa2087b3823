# cmake -DIN=<file> -DNAME=<identifier> -DSOURCE=<c> -DHEADER=<h> -P TfliteAlignCArray.cmake
#
# The file as a C array for TensorFlow Lite Micro, which reads it where it lies: `NAME`, aligned to
# 16 bytes as the FlatBuffer's buffers ask, and `NAME_len`. C99 and C++11 compilers take both files.
cmake_minimum_required(VERSION 3.16)

file(READ "${IN}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
if(size EQUAL 0)
  message(FATAL_ERROR "${IN}: no bytes to make an array of")
endif()
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REPEAT "." 80 line) # 16 bytes of five characters
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
string(TOUPPER "${NAME}_H_" guard)
get_filename_component(header "${HEADER}" NAME)

file(WRITE "${HEADER}" "#ifndef ${guard}
#define ${guard}

#ifdef __cplusplus
extern \"C\" {
#endif

extern const unsigned char ${NAME}[];
extern const unsigned int ${NAME}_len;

#ifdef __cplusplus
}
#endif

#endif
")
file(WRITE "${SOURCE}" "#include \"${header}\"

#if defined(__cplusplus)
#define TFLITE_ALIGN_16 alignas(16)
#elif defined(__GNUC__) || defined(__clang__)
#define TFLITE_ALIGN_16 __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define TFLITE_ALIGN_16 __declspec(align(16))
#else
#define TFLITE_ALIGN_16 _Alignas(16)
#endif

TFLITE_ALIGN_16 const unsigned char ${NAME}[] = {
${bytes}
};
const unsigned int ${NAME}_len = ${size}u;
")
