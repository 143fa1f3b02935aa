# The tag of C++ exceptions, which LLVM keeps in a library that Zig does not build.
.globl __cpp_exception
.tagtype __cpp_exception i32
__cpp_exception:
