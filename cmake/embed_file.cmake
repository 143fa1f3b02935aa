# cmake -DINPUT=file [-DKEPT=WITHOUT_COMMENTS] -DNAME=identifier -DSOURCE=out.cc -DHEADER=out.h -P embed_file.cmake
file(READ ${INPUT} hex HEX)
if(KEPT STREQUAL "WITHOUT_COMMENTS")
  # Of hexadecimal digits, since a list of CMake's would end at each semicolon: 2f2f is //, 0a the end of a line, 20 a space.
  string(REGEX REPLACE "(..)" "\\1 " hex "${hex}")
  string(REGEX REPLACE "(20 )*2f 2f ([1-9a-f][0-9a-f] |0[0-9b-f] )*" "" hex "${hex}")
  string(REGEX REPLACE "0a (20 |0a )+" "0a " hex "${hex}")
  string(REPLACE " " "" hex "${hex}")
endif()
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
# Compilers read lines of a bounded length faster, and people read the file at all.
string(REGEX REPLACE "(('....',)('....',)('....',)('....',)('....',)('....',)('....',)('....',))" "\\1\n    " bytes "${bytes}")
file(WRITE ${HEADER}.new "#pragma once

#include <string_view>

namespace subbyte::embedded {
extern const std::string_view ${NAME};
}
")
file(WRITE ${SOURCE}.new "#include \"embedded/${NAME}.h\"

namespace subbyte::embedded {
namespace {
constexpr char bytes_of_${NAME}[] = {
    ${bytes}'\\0'};
}
constinit const std::string_view ${NAME}(bytes_of_${NAME}, sizeof(bytes_of_${NAME}) - 1);
}
")
file(RENAME ${HEADER}.new ${HEADER})
file(RENAME ${SOURCE}.new ${SOURCE})
